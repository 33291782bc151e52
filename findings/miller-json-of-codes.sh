#!/usr/bin/env bash
# Miller, from CSV to JSON, and codes that look like numbers to it.
#
# Guess, written before the run: valid JSON, whatever it takes for a number.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
version=6.6.0-2+b3 # Debian 12
mkdir -p apt/state/lists/partial apt/cache/archives/partial
options=(-q -o "Dir::State=$place/apt/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$place/apt/cache"
    -o Debug::NoLocking=1 -o APT::Sandbox::User=)
{
    apt-get "${options[@]}" update
    apt-get "${options[@]}" --yes --no-install-recommends --download-only install "miller=$version"
} > apt.log 2>&1 || { tail -n 5 apt.log; exit 2; }
for package in apt/cache/archives/*.deb; do dpkg -x "$package" root; done
printf 'color,size,share\n0x1F,5.,.5\n' > codes.csv
root/usr/bin/mlr --version
echo "guess: JSON, with 0x1F as a text or as 31"
root/usr/bin/mlr --icsv --ojsonl cat codes.csv | tee codes.json | sed 's/^/seen: /'
root/usr/bin/mlr --icsv --ojsonl -S cat codes.csv | sed 's/^/seen, with -S: /'
root/usr/bin/mlr --icsv --ojsonl -A cat codes.csv | sed 's/^/seen, with -A: /'
python3 - <<'PYTHON'
import json
import sys

try:
    print("seen: json.loads reads", json.loads(open("codes.json").read()))
    sys.exit(1)
except ValueError as error:
    print("seen: json.loads says", error)
PYTHON
