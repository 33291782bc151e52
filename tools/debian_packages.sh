#!/usr/bin/env bash
# Fetches Debian's packages and unpacks them: debian_packages.sh DIRECTORY WHAT PACKAGE... They come with the libraries
# that this machine lacks: no root is needed, and nothing is installed. Where that cannot be, WHAT is left out, with a word.
set -euo pipefail
mkdir -p "$1"
directory=$(cd "$1" && pwd)
what=$2
shift 2

if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    echo "$what is left out, and so are its tests: it is not here, and there is no apt-get to fetch it" >&2
    exit 0
fi
apt=$directory/apt
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
options=(
    -q -o "Dir::State=$apt/state" -o Dir::State::status="${DPKG_STATUS:-/var/lib/dpkg/status}" -o "Dir::Cache=$apt/cache"
    -o Debug::NoLocking=1 -o APT::Sandbox::User=
)
if ! { apt-get "${options[@]}" update && apt-get "${options[@]}" --yes --no-install-recommends --download-only install "$@"; } \
    >"$apt/log" 2>&1; then
    tail -n 5 "$apt/log" >&2
    echo "$what is left out, and so are its tests: its packages could not be fetched" >&2
    exit 0
fi
shopt -s nullglob # a machine may have all of them
for package in "$apt"/cache/archives/*.deb; do
    dpkg -x "$package" "$directory"
done
rm -rf "$apt"
