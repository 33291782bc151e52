#!/usr/bin/env bash
# Splits a generated export, verifies it, loads it with all that can go wrong, and shows the join. `make demo` runs it.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Shows a command as it would be typed, and runs it.
show() {
    local word line=
    for word; do
        [[ $word == *[!a-zA-Z0-9_./:=-]* ]] && word="'$word'"
        line+=" $word"
    done
    printf '\n$%s\n' "$line"
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
show splitjoin split acme.csv chunks/ --date 20240131 --chunks 24 --tracker sqlite:jobs.db
show head -n 3 chunks/acme_20240131-02-24.csv

# The same command again has nothing to do: what is stored is skipped.
show splitjoin split acme.csv chunks/ --date 20240131 --chunks 24 --tracker sqlite:jobs.db

show splitjoin verify chunks/ --source acme.csv
show splitjoin merge chunks/ again.csv
show cmp acme.csv again.csv
printf '\nThe chunks, put together, are the export, byte for byte.\n'

# Nothing is loaded yet.
show splitjoin status --tracker sqlite:jobs.db

# Events in any order, some of them twice; workers that fail or die before and after any read and write.
show splitjoin simulate chunks/ --into sqlite:sales.db --tracker sqlite:jobs.db --on-join 'exec:cat >> joined.json' \
    --shuffle --duplicates 0.3 --failures 0.15 --crashes 0.15 --seed 7
show cat joined.json
printf '\n'
show splitjoin status acme_20240131 --tracker sqlite:jobs.db
printf '\nA worker that failed or died after it had counted a chunk got the chunk again: such deliveries are duplicates, too.\n'

printf '\n$ sqlite3 sales.db "SELECT COUNT(*), COUNT(DISTINCT id) FROM acme"\n'
python3 -c 'import sqlite3; print(*sqlite3.connect("sales.db").execute("SELECT COUNT(*), COUNT(DISTINCT id) FROM acme").fetchone(), sep="|")'

# The same again: everything is found done, and what follows the join does not run once more.
printf '\n$ splitjoin simulate chunks/ ... | tail -n 5\n'
splitjoin simulate chunks/ --into sqlite:sales.db --tracker sqlite:jobs.db --on-join 'exec:cat >> joined.json' -q | tail -n 5

# What happened to every chunk, on one page; it stays when all else here goes.
page=$(mktemp -d)/demo-report.html
printf '\n$ splitjoin status acme_20240131 --tracker sqlite:jobs.db --dest chunks/ --into sqlite:sales.db --html %s\n' "$page"
splitjoin status acme_20240131 --tracker sqlite:jobs.db --dest chunks/ --into sqlite:sales.db --html "$page" -q >/dev/null
printf '\nWhat happened to every chunk: %s\n' "$page"
