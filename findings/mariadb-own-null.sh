#!/usr/bin/env bash
# MariaDB's SELECT INTO OUTFILE and LOAD DATA, both with ESCAPED BY '"', which doubles a quote as RFC 4180 does, and a NULL.
#
# Guess, written before the run: NULL is the word NULL or \N in the file, which has as many records as rows, and LOAD DATA gives the rows back.
set -euo pipefail
place=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$place"
server=
end() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
    rm -rf "$place"
}
trap end EXIT
cd "$place"
version=1:10.11.18-0+deb12u1 # Debian 12
mkdir -p apt/state/lists/partial apt/cache/archives/partial
options=(-q -o "Dir::State=$place/apt/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$place/apt/cache"
    -o Debug::NoLocking=1 -o APT::Sandbox::User=)
{
    apt-get "${options[@]}" update
    apt-get "${options[@]}" --yes --no-install-recommends --download-only install \
        "mariadb-server-core=$version" "mariadb-client-core=$version"
} > apt.log 2>&1 || { tail -n 5 apt.log; exit 2; }
for package in apt/cache/archives/*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(find "$place/root" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
export LD_LIBRARY_PATH PATH="$place/root/usr/bin:$PATH"
mkdir data
user=$(id -un)
[ "$user" != root ] || { user=nobody; chown nobody data .; }
root/usr/bin/mariadb-install-db --no-defaults --basedir="$place/root/usr" --datadir="$place/data" --user="$user" \
    --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve > install.log 2>&1 || { cat install.log; exit 2; }
root/usr/sbin/mariadbd --no-defaults --user="$user" --basedir="$place/root/usr" --datadir="$place/data" \
    --socket="$place/m.sock" --skip-networking --pid-file="$place/data/pid" --tmpdir="$place/data" \
    --character-set-server=utf8mb4 > server.log 2>&1 &
server=$!
sql() { root/usr/bin/mariadb --no-defaults --socket="$place/m.sock" --user=root --batch --skip-column-names "$@"; }
for _ in $(seq 100); do sql -e 'SELECT 1' > /dev/null 2>&1 && break; sleep 0.1; done
echo "MariaDB $(sql -e 'SELECT VERSION()')"
echo "guess: 4 records, 4 rows, NULL in the second"
clause="FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '\"' LINES TERMINATED BY '\n'"
sql -e "CREATE DATABASE d; CREATE TABLE d.t (id INT, note VARCHAR(20)); CREATE TABLE d.u LIKE d.t;
    INSERT INTO d.t VALUES (1, 'say \"a\"'), (2, NULL), (3, 'c'), (4, 'd')"
sql d -e "SELECT * FROM t ORDER BY id INTO OUTFILE '$place/data/own.csv' $clause"
sed 's/^/seen, the file: /' data/own.csv
sql d -e "LOAD DATA INFILE '$place/data/own.csv' INTO TABLE u $clause; SHOW WARNINGS; SELECT id, HEX(note) FROM u ORDER BY id" > rows.txt 2>&1
python3 -c '
import csv
import sys

rows = [line.rstrip("\n").split("\t") for line in open("rows.txt")]
back = [(int(number), bytes.fromhex(text).decode()) for number, text in rows]
records = list(csv.reader(open("data/own.csv", newline="")))
print("seen: without a warning, LOAD DATA gives", back)
print("seen: csv.reader gives", len(records), "records")
sys.exit(back != [(1, "say \"a\""), (2, "N\n3,\"c"), (4, "d")] or len(records) != 3)'
