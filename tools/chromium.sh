#!/usr/bin/env bash
# Provides Chromium for the tests: chromium.sh DIRECTORY. Where none is installed, Debian's is fetched and unpacked there.
set -euo pipefail
mkdir -p "$1"
directory=$(cd "$1" && pwd)

if command -v chromium >/dev/null; then
    exit 0
fi
bash "$(dirname "${BASH_SOURCE[0]}")/debian_packages.sh" "$directory" Chromium chromium fonts-dejavu-core
# Unpacked fonts are found through a configuration of their own.
cat >"$directory/fonts.conf" <<CONFIGURATION
<?xml version="1.0"?>
<fontconfig>
<dir>$directory/usr/share/fonts</dir>
<dir>/usr/share/fonts</dir>
<cachedir>$directory/fonts.cache</cachedir>
</fontconfig>
CONFIGURATION
