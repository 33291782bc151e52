#!/usr/bin/env bash
# csv-parse with cast: true and codes in hexadecimal, octal and binary.
#
# Guess, written before the run: they stay texts; if they are taken for numbers, 0x10 is 16.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm install --silent --no-audit --no-fund --prefix "$place" csv-parse@7.0.3 papaparse@5.7.1
node - <<'NODE'
const { parse } = require("csv-parse/sync");
const Papa = require("papaparse");

const codes = ["0x10", "0xff", "0o17", "0b11", "x10"];
const file = codes.map((code) => `${code}\n`).join("");
const seen = parse(file, { cast: true }).flat();
const others = Papa.parse(file.trim(), { dynamicTyping: true, delimiter: "," }).data.flat();
console.log("csv-parse 7.0.3, papaparse 5.7.1");
console.log("guess:", JSON.stringify(codes));
console.log("seen: papaparse with dynamicTyping", JSON.stringify(others));
console.log("seen: csv-parse with cast", JSON.stringify(seen));
process.exit(JSON.stringify(seen) === '[0,0,0,0,"x10"]' && JSON.stringify(others) === JSON.stringify(codes) ? 0 : 1);
NODE
