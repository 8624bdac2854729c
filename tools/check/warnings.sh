#!/usr/bin/env bash
# Fails on a warning of gcc or of clang.
set -euo pipefail
for compiler in gcc clang; do
    [ -f "build-$compiler/build.ninja" ] ||
        CC=$compiler meson setup "build-$compiler" --werror \
        -Dtests=enabled -Dpython=enabled
    ninja -C "build-$compiler"
done
