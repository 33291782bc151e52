#!/usr/bin/env bash
# Ruby's csv with converters: :numeric and codes with zeros in front.
#
# Guess, written before the run: 007, 008, 010 and 011 stay texts, or are 7, 8, 10 and 11.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
version=3.1.7+really3.1.2-0+deb12u1 # Debian 12
mkdir -p apt/state/lists/partial apt/cache/archives/partial
options=(-q -o "Dir::State=$place/apt/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$place/apt/cache"
    -o Debug::NoLocking=1 -o APT::Sandbox::User=)
{
    apt-get "${options[@]}" update
    apt-get "${options[@]}" --yes --no-install-recommends --download-only install "ruby3.1=$version" "libruby3.1=$version"
} > apt.log 2>&1 || { tail -n 5 apt.log; exit 2; }
for package in apt/cache/archives/*.deb; do dpkg -x "$package" root; done
architecture=$(basename "$(dirname "$(find "$place/root/usr/lib" -name 'libruby-3.1.so.3.1')")")
LD_LIBRARY_PATH=$(find "$place/root" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
RUBYLIB=$place/root/usr/lib/ruby/3.1.0:$place/root/usr/lib/$architecture/ruby/3.1.0
export LD_LIBRARY_PATH RUBYLIB
printf 'code\n007\n008\n010\n011\n0100\n' > codes.csv
root/usr/bin/ruby3.1 --disable-gems - <<'RUBY'
require "csv"
puts "Ruby #{RUBY_VERSION}, csv #{CSV::VERSION}"
puts "guess: 7 8 10 11 100, or the texts"
seen = CSV.read("codes.csv", headers: true, converters: :numeric).map { |row| row["code"] }
puts "seen: #{seen.map(&:inspect).join(' ')}"
exit seen == [7, 8.0, 8, 9, 64]
RUBY
