#!/usr/bin/env bash
# Runs the C tests built with -fsanitize=$1 (address,undefined or thread).
set -euo pipefail
export BUILD=build-${1%%,*} SLOWER=5
export ASAN_OPTIONS=detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=second_deadlock_stack=1:die_after_fork=0:atexit_sleep_ms=0
[ -f "$BUILD/build.ninja" ] || meson setup "$BUILD" -Dtests=enabled \
    -Dcli=disabled -Dbench=disabled -Dopenmp=disabled \
    -Db_sanitize="$1" -Db_lundef=false \
    -Dc_args=-fno-sanitize-recover=all
# Shadow memory wants the usual addresses, not a machine's wide random ones.
fixed=(setarch -R)
"${fixed[@]}" true 2>/dev/null || fixed=()
"${fixed[@]}" tools/test.sh c
