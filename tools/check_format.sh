#!/bin/sh
# Every C file stands as clang-format 14 would write it. Silence means so.
set -eu
cd "$(dirname "$0")/.."
git ls-files -co --exclude-standard '*.c' '*.h' | while read -r file; do
    [ ! -f "$file" ] || clang-format-14 --dry-run --Werror "$file" 2>/dev/null || { echo "$file: run ./dev fmt"; }
done | { ! grep .; }
