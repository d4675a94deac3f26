#!/bin/sh
# Kills reviewers at random moments, 2000 times by default, and checks the log after it: nothing that a reviewer was told is
# on the disk may be missing.
#
#     sh benchmarks/labeling/kills.sh [COUNT]
set -eu
cd "$(dirname "$0")/../.."
swift build -c release --build-tests >/dev/null
LABEL_KILLS=${1:-2000} swift test -c release --skip-build --filter whatAKilledReviewerWasToldIsInTheLog
