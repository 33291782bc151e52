#!/usr/bin/env bash
# Fetches the stores that the tests do not bring: stores.sh PYTHON SERVERS DIRECTORY. What cannot be had is left out.
set -euo pipefail
here=$(dirname "$0")
python=$1 servers=$2 directory=$3

mkdir -p "$directory"
bash "$here/venv.sh" "$python" "$directory/env"
"$directory/env/bin/python" -m pip install --quiet --requirement "$here/stores.txt"
bash "$here/npm.sh" "$servers" "$directory" "$here/stores_npm.txt"
bash "$here/debian_packages.sh" "$directory/debian" "some stores of Debian" \
    ceph-common ceph-mon ceph-osd radosgw ceph-base python3-ceph-argparse caddy haproxy nginx-core
