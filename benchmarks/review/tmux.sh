#!/bin/bash
# Drives `lenticular review` in tmux as a person would: several window sizes and terminal types, every kind of key, a resize,
# SIGKILL, SIGTERM, and a lost connection (SIGHUP); then looks whether the answers are in the store and the terminal is as before.
#
#   benchmarks/review/tmux.sh RUN [SCREENS]
#
# RUN is a finished run folder with a score stage; it is copied, not touched. The captured screens go to SCREENS
# (review-screens by default): NAME.txt, and NAME.ansi with colours. Needs tmux and python3. Exit status 1 when a check fails.
set -u
run=$(realpath "${1:?usage: tmux.sh RUN [SCREENS]}")
screens=${2:-review-screens}
here=$(cd "$(dirname "$0")/../.." && pwd)
program=${LENTICULAR:-$here/.build/release/lenticular}
work=$(mktemp -d)
mkdir -p "$screens"
failed=0
export LANG=C.UTF-8 LC_ALL=C.UTF-8
tm() { tmux -L "review-$$" -f /dev/null "$@"; }
trap 'tm kill-server 2>/dev/null; rm -rf "$work"' EXIT

check() { # check WHAT EXPECTED GOT
    if [ "$2" = "$3" ]; then echo "ok     $1"; else
        echo "FAILED $1: expected '$2', got '$3'"
        failed=1
    fi
}
contains() { # contains WHAT FILE TEXT
    if grep -qF -- "$3" "$2"; then echo "ok     $1"; else
        echo "FAILED $1: '$3' is not in $2"
        failed=1
    fi
}
capture() {
    tm capture-pane -p -t review >"$screens/$1.txt"
    tm capture-pane -p -e -N -t review >"$screens/$1.ansi"
}
answers() { # rows of the log that stand: of a kind, or answers
    python3 - "$work/run/labels.sqlite" "${1:-answer}" <<'P'
import sqlite3, sys
store = sqlite3.connect(sys.argv[1])
assert store.execute("pragma integrity_check").fetchone()[0] == "ok"
print(store.execute("select count(*) from decision d where kind = ? and not exists "
                    "(select 1 from decision u where u.cancels = d.id)", [sys.argv[2]]).fetchone()[0])
P
}
start() { # start SIZE TERM OPTIONS: dash, which does not mend a terminal that a program left in disorder
    tm kill-server 2>/dev/null
    rm -rf "$work/run" "$work"/before "$work"/after "$work"/later "$work"/status
    cp -r "$run" "$work/run"
    rm -f "$work/run"/labels.sqlite*
    tm new-session -d -s review -x "${1%x*}" -y "${1#*x}" /bin/sh
    tm set -g status off
    tm send-keys -t review "cd $here; stty -g > $work/before" Enter
    tm send-keys -t review "TERM=$2 $program review $work/run --labeller tester $3; echo \$? > $work/status; stty -g > $work/after" Enter
    for _ in $(seq 100); do
        sleep 0.1
        tm capture-pane -p -t review | grep -q 'saved' && return
    done
}
keys() { for key in "$@"; do tm send-keys -t review "$key"; sleep 0.15; done; }
pid() { pgrep -P "$(tm display -p -t review '#{pane_pid}')" | head -1; }
restored() { # restored WHAT
    for _ in $(seq 40); do [ -s "$work/after" ] && break; sleep 0.1; done
    check "$1: main screen, visible cursor" "0 1" "$(tm display -p -t review '#{alternate_on} #{cursor_flag}')"
    tm send-keys -t review "stty -g > $work/later" Enter
    sleep 0.5
    check "$1: line discipline" "$(cat "$work/before")" "$(cat "$work/later" 2>/dev/null)"
}

for size in 80x24 120x40 60x20 50x16; do
    start $size xterm-256color ""
    sleep 1
    capture "$size"
    contains "$size: the question is on the screen" "$screens/$size.txt" "interest?"
    keys q
    restored "$size: q"
    check "$size: exit status" 0 "$(cat "$work/status")"
done
start 40x10 xterm-256color ""
sleep 1
capture 40x10
contains "40x10: says that it is too small" "$screens/40x10.txt" "window too small"
keys q

for term in vt100 screen-256color xterm-kitty linux; do
    start 80x24 $term ""
    sleep 1
    capture "term-$term"
    contains "TERM=$term: the question is on the screen" "$screens/term-$term.txt" "interest?"
    keys q
    restored "TERM=$term"
done
for graphics in ascii none; do
    start 80x24 xterm-256color "--graphics $graphics"
    sleep 1
    capture "graphics-$graphics"
    keys q
done

start 80x24 xterm-256color ""
keys 5 0 3
capture answered
keys c; tm send-keys -t review -l "a tidal tail?"; sleep 0.3
capture comment
keys Enter x s u
capture undone
keys Left; keys b; keys t; keys +; sleep 0.5
capture keys
keys Right n; sleep 1.5
capture neighbours
keys n v; sleep 3
capture view
keys v v '?'; capture help
keys Escape /; tm send-keys -t review -l "sim-00002"; keys Enter; sleep 0.5
capture found
tm resize-window -t review -x 100 -y 30; sleep 0.7
capture resized
keys q; restored "q after many keys"
capture quit
check "answers in the store" 3 "$(answers)"
check "comments in the store" 1 "$(answers comment)"
check "artefacts in the store" 1 "$(answers artefact)"
check "skips that stand" 0 "$(answers skip)"

for signal in KILL TERM HUP; do
    start 80x24 xterm-256color ""
    keys 1 2 3 4
    kill -$signal "$(pid)"
    restored "SIG$signal"
    capture "after-$signal"
    check "SIG$signal: answers in the store" 4 "$(answers)"
done

start 80x24 xterm-256color ""
keys 1 2 3
program_pid=$(pid)
tm kill-server
sleep 1
check "lost connection: the program has ended" "" "$(ps -o stat= -p "$program_pid" | grep -v Z)"
check "lost connection: answers in the store" 3 "$(answers)"

# A disk that takes no more: another process holds the write lock of the store longer than the program waits.
start 80x24 xterm-256color ""
keys 1
python3 -c "
import sqlite3, time
store = sqlite3.connect('$work/run/labels.sqlite', isolation_level=None)
store.execute('begin immediate'); time.sleep(9); store.execute('rollback')" &
sleep 1
keys 2
sleep 6
capture locked
contains "locked store: says so" "$screens/locked.txt" "NOT SAVED"
sleep 3
keys 2
sleep 0.5
capture unlocked
check "locked store: the answer is saved afterwards" 2 "$(answers)"
keys q
exit $failed
