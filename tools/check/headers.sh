#!/usr/bin/env bash
# Fails on a public header that does not compile alone and twice, strictly, as
# C and as C++; likewise the initialisers.
set -euo pipefail
strict=(-fsyntax-only -pedantic -Wall -Wextra -Werror -Iinclude)
mapfile -t headers < <(cd include && find . -name '*.h' | sed 's|^\./||')
[ ${#headers[@]} -gt 0 ]

compile() {
    printf '%s\n' "$@" | gcc -std=c11 "${strict[@]}" -x c -
    printf '%s\n' "$@" | g++ -std=c++17 "${strict[@]}" \
        -Wno-missing-field-initializers -x c++ -
}

for header in "${headers[@]}"; do
    compile "#include <$header>" "#include <$header>"
done
compile '#include <tutti.h>' \
    'extern tutti_options o; tutti_options o = TUTTI_OPTIONS_INIT;' \
    'extern tutti_report r; tutti_report r = TUTTI_REPORT_INIT;'
echo "${#headers[@]} headers compile alone, as C11 and as C++17"
