#!/usr/bin/env bash
# Fails if libtutti.so, stripped, is over 600 KB (a third of it shipped kernels,
# for three instruction sets) or needs more than libc, libm.
set -euo pipefail
library=build/src/libtutti.so
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
strip -o "$copy" "$library"
size=$(stat -c %s "$copy")
dynamic=$(readelf -d "$library")
needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic")
soname=$(sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' <<<"$dynamic")
echo "$soname: $size bytes stripped; needs" $needed
[ "$size" -le 600000 ] || { echo 'over 600,000 bytes'; exit 1; }
[ "$soname" = libtutti.so.0 ] || { echo 'soname is not libtutti.so.0'; exit 1; }
if grep -vE '^(libc\.so\.6|libm\.so\.6|ld-linux.*)$' <<<"$needed"; then
    echo 'needed, but not libc or libm'
    exit 1
fi
