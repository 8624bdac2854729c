#!/usr/bin/env bash
# Installs into an empty folder, then builds the README's C program against it
# as a user would, by pkg-config, and runs it.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
meson install -C build --no-rebuild --quiet --destdir "$room"
file=$(find "$room" -name tutti.pc)
[ -n "$file" ] || { echo 'no tutti.pc was installed'; exit 1; }
export PKG_CONFIG_PATH=${file%/*} PKG_CONFIG_SYSROOT_DIR=$room
awk '/^```c$/ {on = 1; next} /^```$/ {on = 0} on' README.md >"$room/first.c"
[ -s "$room/first.c" ] || { echo 'README.md has no C program'; exit 1; }
gcc -std=c11 -pedantic -Wall -Wextra -Werror "$room/first.c" \
    -o "$room/first" $(pkg-config --cflags --libs tutti) -lm
export LD_LIBRARY_PATH=$(dirname "$(find "$room" -name libtutti.so)")
timeout 60 "$room/first"
[ ! -e build/tutti ] || timeout 60 "$(find "$room" -path '*/bin/tutti')" info
