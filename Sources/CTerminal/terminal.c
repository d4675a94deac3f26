#define _GNU_SOURCE
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Alternate screen, cleared; hidden cursor; bracketed paste; no wrapping at the right edge. */
static const char enter_sequence[] = "\033[?1049h\033[2J\033[?25l\033[?2004h\033[?7l";
/* Ends a picture that was being sent and a synchronised frame, deletes Kitty pictures, then undoes the above. */
static const char leave_sequence[] = "\033\\\033[?2026l\033_Ga=d,q=2\033\\\033[0m\033[?7h\033[?2004l\033[?25h\033[?1049l";

static int terminal = -1;
static int events[2] = {-1, -1};
static int guard_pipe = -1;
static pid_t guard = -1;
static struct termios original;
static volatile sig_atomic_t taken = 0;
static volatile sig_atomic_t ended = 0;

static const int ending_signals[] = {SIGTERM, SIGHUP, SIGINT};
enum { ending_count = sizeof ending_signals / sizeof ending_signals[0] };
static const int fatal_signals[] = {SIGQUIT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE};
enum { fatal_count = sizeof fatal_signals / sizeof fatal_signals[0] };

static void transmit(int descriptor, const char *text, size_t length) {
    while (length > 0) {
        ssize_t sent = write(descriptor, text, length);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return;
        text += sent;
        length -= (size_t)sent;
    }
}

/* Async-signal-safe. */
static void give_back(void) {
    if (!taken) return;
    taken = 0;
    transmit(terminal, leave_sequence, sizeof leave_sequence - 1);
    tcsetattr(terminal, TCSANOW, &original);
    if (guard_pipe >= 0) transmit(guard_pipe, "q", 1);
}

static void on_fatal(int number) {
    int saved = errno;
    give_back();
    errno = saved;
    signal(number, SIG_DFL);
    raise(number);
}

static void on_ending(int number) {
    int saved = errno;
    give_back();
    ended = number;
    signal(number, SIG_DFL);
    alarm(2);
    terminal_wake();
    errno = saved;
}

static void on_resize(int number) {
    (void)number;
    int saved = errno;
    terminal_wake();
    errno = saved;
}

void terminal_wake(void) {
    /* A full pipe is as good: its reader will come. */
    if (events[1] >= 0 && write(events[1], "w", 1) < 0) return;
}

int terminal_ended(void) { return ended; }

int terminal_events(void) { return events[0]; }

void terminal_clear_events(void) {
    char buffer[64];
    while (read(events[0], buffer, sizeof buffer) > 0) continue;
}

/* The guard: a process of its own session, so that neither the keyboard nor a lost connection signals it. */
static void watch(int pipe_end, int descriptor) {
    setsid();
    for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
    for (int i = 0; i < 1024; i++)
        if (i != pipe_end && i != descriptor) close(i);
    char byte;
    ssize_t count;
    while ((count = read(pipe_end, &byte, 1)) < 0 && errno == EINTR) continue;
    if (count == 0) {
        transmit(descriptor, leave_sequence, sizeof leave_sequence - 1);
        tcsetattr(descriptor, TCSANOW, &original);
    }
    _exit(0);
}

static int start_guard(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    guard = fork();
    if (guard < 0) {
        int failure = errno;
        close(ends[0]);
        close(ends[1]);
        return failure;
    }
    if (guard == 0) {
        close(ends[1]);
        watch(ends[0], terminal);
    }
    close(ends[0]);
    guard_pipe = ends[1];
    return 0;
}

static int take(void) {
    struct termios raw = original;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    taken = 1;
    if (tcsetattr(terminal, TCSAFLUSH, &raw) != 0) {
        taken = 0;
        return errno;
    }
    transmit(terminal, enter_sequence, sizeof enter_sequence - 1);
    return 0;
}

static void install_handlers(void) {
    struct sigaction action = {0};
    sigfillset(&action.sa_mask);
    action.sa_handler = on_fatal;
    for (int i = 0; i < fatal_count; i++) sigaction(fatal_signals[i], &action, NULL);
    action.sa_handler = on_ending;
    for (int i = 0; i < ending_count; i++) sigaction(ending_signals[i], &action, NULL);
    action.sa_handler = on_resize;
    action.sa_flags = SA_RESTART;
    sigaction(SIGWINCH, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int terminal_enter(int descriptor) {
    static int registered = 0;
    if (taken) return EBUSY;
    if (tcgetattr(descriptor, &original) != 0) return errno;
    terminal = descriptor;
    if (events[0] < 0 && pipe2(events, O_CLOEXEC | O_NONBLOCK) != 0) return errno;
    int failure = start_guard();
    if (failure != 0) return failure;
    install_handlers();
    if (!registered) {
        atexit(terminal_leave);
        registered = 1;
    }
    failure = take();
    if (failure != 0) terminal_leave();
    return failure;
}

void terminal_leave(void) {
    give_back();
    if (guard_pipe >= 0) {
        transmit(guard_pipe, "q", 1);
        close(guard_pipe);
        guard_pipe = -1;
        while (waitpid(guard, NULL, 0) < 0 && errno == EINTR) continue;
    }
    for (int i = 0; i < fatal_count; i++) signal(fatal_signals[i], SIG_DFL);
    for (int i = 0; i < ending_count; i++) signal(ending_signals[i], SIG_DFL);
    signal(SIGWINCH, SIG_DFL);
}

int terminal_suspend(void) {
    int descriptor = terminal;
    terminal_leave();
    /* The whole group, as the terminal would have done. */
    kill(0, SIGTSTP);
    return terminal_enter(descriptor);
}

terminal_size_t terminal_size(int descriptor) {
    struct winsize window = {0};
    terminal_size_t size = {80, 24, 0, 0};
    if (ioctl(descriptor, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0) {
        size.columns = window.ws_col;
        size.rows = window.ws_row;
        size.width = window.ws_xpixel;
        size.height = window.ws_ypixel;
    }
    return size;
}

int terminal_open_pair(terminal_size_t size, int *person, int *program) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) return errno;
    struct winsize window = {(unsigned short)size.rows, (unsigned short)size.columns, (unsigned short)size.width,
                             (unsigned short)size.height};
    char name[64];
    int slave = -1;
    if (grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof name) == 0)
        slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || ioctl(slave, TIOCSWINSZ, &window) != 0) {
        int failure = errno;
        close(master);
        if (slave >= 0) close(slave);
        return failure;
    }
    *person = master;
    *program = slave;
    return 0;
}
