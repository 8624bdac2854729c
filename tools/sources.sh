#!/bin/sh
# Prints the source files whose names match the patterns given ('*.c' '*.h').
set -eu
cd "$(dirname "$0")/.."
for pattern in "$@"; do
    find . \( -path './.*' -o -path './build*' \) -prune -o \
        -type f -name "$pattern" -print
done | sed 's|^\./||' | LC_ALL=C sort
