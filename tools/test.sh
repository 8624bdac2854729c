#!/usr/bin/env bash
# Builds and runs every test: the C programs by meson, tests/python and
# tests/cli by pytest, a process a file. Ends with 'N passed, N failed'.
#   tools/test.sh [c|python|cli]...      (nothing: all)
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="/usr/bin:/bin:$PATH"
build=${BUILD:-build}
results=$build/results
parts=${*:-c python cli}

# cmocka may have been installed after the folder was configured.
prepare() {
    [ -f "$build/tests.on" ] ||
        meson configure "$build" -Dtests=enabled || return
    touch "$build/tests.on"
    ninja -C "$build" || return
}

run_c() {
    meson test -C "$build" --no-rebuild --print-errorlogs -t "${SLOWER:-1}"
    cp "$build"/meson-logs/testlog.json "$results"/c.json
}

# A test has 120 s; a file that does not end, even so, has 15 minutes.
run_pytest() {
    local file name
    for file in tests/"$1"/test_*.py; do
        [ -f "$file" ] || continue
        name=$(basename "$file" .py)
        echo "--- $file"
        timeout -k 10 900 .venv/bin/python -m pytest -q --timeout=120 \
            -p no:cacheprovider --junitxml="$results/$1-$name.xml" "$file"
        echo $? >"$results/$1-$name.status"
    done
}

rm -rf "$results"
mkdir -p "$results"
prepare || {
    echo 'the build failed'
    echo '0 passed, 1 failed'
    exit 1
}
for part in $parts; do
    case $part in
        c) run_c ;;
        python | cli) run_pytest "$part" ;;
        *)
            echo "tools/test.sh: c, python or cli, not '$part'" >&2
            exit 2
            ;;
    esac </dev/null
done
exec /usr/bin/python3 tools/count.py "$results"
