#!/usr/bin/env bash
# Fetches exporters that the tests do not bring: exporters.sh PYTHON SERVERS DIRECTORY. What cannot be had is left out.
set -euo pipefail
here=$(dirname "$0")
python=$1 servers=$2 directory=$3

mkdir -p "$directory"
bash "$here/venv.sh" "$python" "$directory/env"
"$directory/env/bin/python" -m pip install --quiet --requirement "$here/exporters.txt"
bash "$here/npm.sh" "$servers" "$directory" "$here/exporters_npm.txt"
bash "$here/debian_packages.sh" "$directory/debian" "some exporters of Debian" php-cli ruby miller libtext-csv-xs-perl
