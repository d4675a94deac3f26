#!/bin/sh
# Shows that memory does not grow with the number of images: the quick-start pipeline on 200 and on all stamps below a folder.
#
#   benchmarks/streaming/run.sh FOLDER [FOLDER …]
#
# Prints the number of objects, the peak resident memory and the rate of each run, from its provenance.json.
set -eu
program="$(dirname "$0")/../../.build/release/lenticular"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for limit in 200 2000 0; do
    "$program" run quickstart --input "$@" --output "$work/$limit" --quiet --set load.limit=$limit || [ $? -eq 3 ]
    sed -n 's/^ *"\(objects\|failures\|peak_memory_mebibytes\|objects_per_second\)" : \(.*\),*$/\1 \2/p' \
        "$work/$limit/provenance.json" | tr '\n' ' '
    echo
done
