#!/usr/bin/env bash
# Fails on a link in the documentation that leads nowhere, and runs the README's
# Python and shell programs in an empty folder (install.sh runs the C one).
set -euo pipefail
fault=0
for page in *.md docs/*.md docs/*/*.md; do
    for link in $(grep -oE '\]\([^)#: ]+' "$page" | cut -c3-); do
        [ -e "$(dirname "$page")/$link" ] || {
            echo "$page: $link is not there"
            fault=1
        }
    done
done

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
for shared in build .venv examples; do
    [ ! -e "$shared" ] || ln -s "$PWD/$shared" "$room/$shared"
done
program() {
    awk -v start="^\`\`\`$1$" '/^```$/ {on = 0} on; $0 ~ start {on = 1}' README.md
}
program python >"$room/first.py"
program sh >"$room/first.sh"
cd "$room"
[ ! -s first.py ] || timeout 120 .venv/bin/python first.py
[ ! -s first.sh ] || timeout 120 bash -euxo pipefail first.sh
exit $fault
