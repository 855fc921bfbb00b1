#!/bin/sh
# Fail and name the places when clang-format would change a C file; `./dev format` changes them.
set -eu
cd "$(dirname "$0")/.."
command -v clang-format-14 >/dev/null || { echo "clang-format-14 is missing: ./dev deps"; exit 1; }
# shellcheck disable=SC2046 # Our file names have no spaces.
clang-format-14 --dry-run -Werror --ferror-limit=3 $(cmake/sources.sh)
