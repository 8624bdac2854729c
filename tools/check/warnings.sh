#!/usr/bin/env bash
# Fails on a warning of gcc or of clang, in the Python extension, too.
set -euo pipefail
for compiler in gcc clang; do
    [ -f "build-$compiler/build.ninja" ] ||
        CC=$compiler meson setup "build-$compiler" --werror \
            -Dtests=enabled -Dpython=enabled --native-file \
            <(printf "[binaries]\npython = '/usr/bin/python3'\n")
    ninja -C "build-$compiler"
done
