#!/usr/bin/env bash
# Fails where clang-format would change a C file.
set -euo pipefail
mapfile -t files < <(tools/sources.sh '*.c' '*.h')
[ ${#files[@]} -gt 0 ]
clang-format --dry-run -Werror "${files[@]}"
echo "${#files[@]} files as clang-format has them"
