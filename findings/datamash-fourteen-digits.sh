#!/usr/bin/env bash
# GNU datamash and the largest and the sum of amounts with sixteen digits.
#
# Guess, written before the run: max is one of the amounts in the file, and sum is their sum, to the cent.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
version=1.7-2 # Debian 12
mkdir -p apt/state/lists/partial apt/cache/archives/partial
options=(-q -o "Dir::State=$place/apt/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$place/apt/cache"
    -o Debug::NoLocking=1 -o APT::Sandbox::User=)
{
    apt-get "${options[@]}" update
    apt-get "${options[@]}" --yes --no-install-recommends --download-only install "datamash=$version"
} > apt.log 2>&1 || { tail -n 5 apt.log; exit 2; }
for package in apt/cache/archives/*.deb; do dpkg -x "$package" root; done
printf '12345678901234.56\n0.44\n' > amounts.txt
printf '9007199254740993\n7\n' > ids.txt
echo "$(root/usr/bin/datamash --version | head -n 1), Debian $version"
echo "guess: 12345678901234.56 and 12345678901235; 9007199254740993 and 9007199254741000"
root/usr/bin/datamash max 1 sum 1 < amounts.txt | tee amounts.out | sed 's/^/seen: max and sum of the amounts: /'
root/usr/bin/datamash max 1 sum 1 < ids.txt | tee ids.out | sed 's/^/seen: max and sum of the numbers: /'
root/usr/bin/datamash --format '%.2f' max 1 sum 1 < amounts.txt | tee formatted.out | sed 's/^/seen: with --format %.2f: /'
[ "$(cat amounts.out)" = $'12345678901235\t12345678901235' ] && [ "$(cat ids.out)" = $'9.007199254741e+15\t9.007199254741e+15' ] &&
    [ "$(cat formatted.out)" = $'12345678901234.56\t12345678901235.00' ]
