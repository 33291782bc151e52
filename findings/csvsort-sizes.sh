#!/usr/bin/env bash
# csvkit's csvsort and columns that it is not asked to sort by.
#
# Guess, written before the run: the records come in another order, and each field is the text that it was.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check csvkit==2.2.0 agate==1.14.2
printf 'item,length,label\ntape,10m,3-4\nrope,5m,1-2\n' > stock.csv
echo "$(venv/bin/csvsort --version 2>&1), agate 1.14.2"
echo "guess: rope,5m,1-2 and tape,10m,3-4"
venv/bin/csvsort -c item stock.csv | tee sorted.csv | sed 's/^/seen: /'
echo "seen: with --no-inference"
venv/bin/csvsort --no-inference -c item stock.csv | tee kept.csv | sed 's/^/seen: /'
[ "$(sed 1d sorted.csv)" = $'rope,0:05:00,2001-01-02\ntape,0:10:00,2001-03-04' ] && [ "$(sed 1d kept.csv)" = $'rope,5m,1-2\ntape,10m,3-4' ]
