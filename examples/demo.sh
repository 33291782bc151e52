#!/usr/bin/env bash
# Splits a generated export into a directory, verifies it, and shows what is there. `make demo` runs it.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

python3 - <<'PYTHON'
# Notes hold commas, quotes and newlines: records that a split by lines would tear apart.
import csv
with open("acme.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["id", "name", "note"])
    for number in range(200_000):
        writer.writerow([number, f"customer {number}", 'first line, "quoted"\nsecond line' if number % 3 else ""])
PYTHON

show ls -l acme.csv
show splitjoin split acme.csv chunks/ --date 20240131 --chunk-size 2MiB
show ls -l chunks/
show head -n 3 chunks/acme_20240131-2-5.csv

# The same command again has nothing to do: what is stored is skipped.
show splitjoin split acme.csv chunks/ --date 20240131 --chunk-size 2MiB

show splitjoin verify chunks/ --source acme.csv
show splitjoin merge chunks/ again.csv
show cmp acme.csv again.csv
printf '\nThe chunks, put together, are the export, byte for byte.\n'
