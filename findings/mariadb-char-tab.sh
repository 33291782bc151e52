#!/usr/bin/env bash
# MariaDB's LOAD DATA in strict mode and a text that is one character too long for its column, CHAR(3) or VARCHAR(3).
#
# Guess, as one has it without a run: 'abc' and a tab is an error, as 'abcd' is, in both: a tab is no padding.
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
echo "MariaDB $(sql -e 'SELECT VERSION()'), $(sql -e 'SELECT @@sql_mode')"
echo "guess: error 1406 for each text, in both columns"
sql -e 'CREATE DATABASE d; CREATE TABLE d.t (note CHAR(3)); CREATE TABLE d.v (note VARCHAR(3))'
printf 'abcd\n' > data/letter.csv
printf 'abc\t\n' > data/tab.csv
chmod 644 data/letter.csv data/tab.csv
for table in t v; do
    for file in letter tab; do
        sql d -e "LOAD DATA INFILE '$place/data/$file.csv' INTO TABLE $table FIELDS TERMINATED BY ',' ESCAPED BY '' LINES TERMINATED BY '\n';
            SHOW WARNINGS; SELECT HEX(note) FROM $table" > "$table-$file.txt" 2>&1 || true
        column=$(sql d -e "SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_NAME = '$table'")
        echo "seen, $column, $file: $(tail -n 2 "$table-$file.txt" | paste -sd' ')"
    done
done
grep -q 'ERROR 1406' t-letter.txt && grep -q 'ERROR 1406' v-letter.txt && [ "$(cat t-tab.txt)" = 616263 ] && grep -q '^Note.1265' v-tab.txt
