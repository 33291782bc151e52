#!/usr/bin/env bash
# Provides MariaDB and SQLite's shell for the tests: mariadb.sh DIRECTORY. What is not installed is fetched from Debian and
# unpacked there: no service is installed.
set -euo pipefail

packages=()
if ! PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null || ! command -v mariadb-install-db >/dev/null; then
    packages+=(mariadb-server-core mariadb-client-core)
fi
command -v sqlite3 >/dev/null || packages+=(sqlite3)
if [ "${#packages[@]}" -eq 0 ]; then
    mkdir -p "$1"
    exit 0
fi
bash "$(dirname "${BASH_SOURCE[0]}")/debian_packages.sh" "$1" "MariaDB or SQLite's shell" "${packages[@]}"
