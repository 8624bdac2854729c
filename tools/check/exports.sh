#!/usr/bin/env bash
# Fails if libtutti.so exports what is not tutti_*, if the archive has other
# global names than tutti_* and tt_*, if a public function is not exported, or
# if the Python extension exports more than its init function.
set -euo pipefail
fault=0
names() {
    awk 'NF >= 2 {print $NF}' | sed 's/@.*//' | LC_ALL=C sort -u
}
exported=$(nm -D --defined-only build/src/libtutti.so | names)
global=$(nm -g --defined-only build/src/libtutti.a | grep -v ':$' | names)
promised=$(/usr/bin/python3 tools/check/contracts.py --names | LC_ALL=C sort -u)
tell() {
    [ -z "$2" ] && return
    printf '%s: %s\n' "$1" "$(tr '\n' ' ' <<<"$2")"
    fault=1
}
tell 'exported, not tutti_*' "$(grep -v '^tutti_' <<<"$exported" || :)"
tell 'global, not tutti_* or tt_*' \
    "$(grep -vE '^(tutti|tt)_' <<<"$global" || :)"
tell 'exported, in no public header' \
    "$(LC_ALL=C comm -23 <(echo "$exported") <(echo "$promised"))"
tell 'in a public header, not exported' \
    "$(LC_ALL=C comm -13 <(echo "$exported") <(echo "$promised"))"
extension=$(find .venv/lib -name '_tutti.*.so')
tell 'exported by the extension' "$(nm -D --defined-only "$extension" | names |
    grep -vx 'PyInit__tutti' || :)"
echo "$(wc -l <<<"$exported") functions exported"
exit $fault
