#!/usr/bin/env bash
# Provides MariaDB for the tests: mariadb.sh DIRECTORY. Where none is installed, Debian's is fetched and unpacked there:
# no service is installed.
set -euo pipefail

if PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null; then
    mkdir -p "$1"
    exit 0
fi
bash "$(dirname "${BASH_SOURCE[0]}")/debian_packages.sh" "$1" MariaDB mariadb-server-core mariadb-client-core
