#!/usr/bin/env bash
# Provides MariaDB for the tests: mariadb.sh DIRECTORY. Where none is installed, Debian's packages are fetched and
# unpacked there, with the libraries that this machine lacks: no root is needed, and no service is installed.
set -euo pipefail
mkdir -p "$1"
directory=$(cd "$1" && pwd)

if PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    echo "MariaDB is left out, and so are its tests: there is no mariadbd here, and no apt-get to fetch it" >&2
    exit 0
fi
apt=$directory/apt
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
options=(
    -q -o "Dir::State=$apt/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$apt/cache"
    -o Debug::NoLocking=1 -o APT::Sandbox::User=
)
if ! { apt-get "${options[@]}" update && apt-get "${options[@]}" --yes --no-install-recommends --download-only install \
    mariadb-server-core mariadb-client-core; } >"$apt/log" 2>&1; then
    tail -n 5 "$apt/log" >&2
    echo "MariaDB is left out, and so are its tests: its packages could not be fetched" >&2
    exit 0
fi
for package in "$apt"/cache/archives/*.deb; do
    dpkg -x "$package" "$directory"
done
rm -rf "$apt"
