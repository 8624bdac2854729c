#!/usr/bin/env bash
# Runs the checks of the house and ends with 'N passed, N failed'.
#   tools/check.sh [NAME]...      (nothing: all)
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="/usr/bin:/bin:$PATH"

all=(format headers contracts includes sizes warnings exports library install
    readme address thread)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=()
[ $# -gt 0 ] || set -- "${all[@]}"

check() {
    case $1 in
        contracts | includes | sizes) /usr/bin/python3 "tools/check/$1.py" ;;
        address) tools/check/sanitize.sh address,undefined ;;
        thread) tools/check/sanitize.sh thread ;;
        *) "tools/check/$1.sh" ;;
    esac
}

ninja -C build >"$log" 2>&1 || {
    tail -n 50 "$log"
    failed+=(build)
}
for name in "$@"; do
    echo "--- check $name"
    if timeout -k 10 600 bash -c "$(declare -f check); check $name" \
        >"$log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        tail -n 25 "$log"
    else
        failed+=("$name")
        tail -n 200 "$log"
        echo "FAILED check $name"
    fi
done
[ ${#failed[@]} -eq 0 ] || echo "failed: ${failed[*]}"
echo "$passed passed, ${#failed[@]} failed"
[ ${#failed[@]} -eq 0 ]
