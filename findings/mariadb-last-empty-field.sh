#!/usr/bin/env bash
# MariaDB's LOAD DATA and a last record that ends with an empty field, in a file without a newline at its end.
#
# Guess, written before the run: `2,` at the end of the file is the row (2, ''), as `2,` and a newline is.
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
    --socket="$place/m.sock" --skip-networking --pid-file="$place/data/pid" --local-infile=1 --tmpdir="$place/data" \
    --character-set-server=utf8mb4 > server.log 2>&1 &
server=$!
sql() { root/usr/bin/mariadb --no-defaults --socket="$place/m.sock" --user=root --local-infile=1 --batch --skip-column-names "$@"; }
for _ in $(seq 100); do sql -e 'SELECT 1' > /dev/null 2>&1 && break; sleep 0.1; done
echo "MariaDB $(sql -e 'SELECT VERSION()')"
echo "guess: both files give the rows (1, 'a') and (2, '') without a warning"
sql -e "CREATE DATABASE d; CREATE TABLE d.t (id INT, note VARCHAR(9))"
printf '1,a\n2,\n' > with.csv
printf '1,a\n2,' > without.csv
for file in with without; do
    echo "seen, $file a newline at the end:"
    sql d -e "LOAD DATA LOCAL INFILE '$place/$file.csv' INTO TABLE t FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''
        LINES TERMINATED BY '\n'; SHOW WARNINGS; SELECT id, note IS NULL, COALESCE(note, 'null') FROM t ORDER BY id; DELETE FROM t" \
        | tee "$file.txt"
done
! grep -q 1261 with.txt && grep -q 1261 without.txt
