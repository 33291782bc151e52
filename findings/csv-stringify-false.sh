#!/usr/bin/env bash
# csv-stringify, of the csv packages of Node, and what JSON knows: true, false and null; and a Date.
#
# Guess, written before the run: true and false, nothing for null, and the date in some spelling, as Papa Parse writes them.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm install --silent --no-audit --no-fund --prefix "$place" csv-stringify@6.9.0 papaparse@5.7.1
cat > write.cjs <<'JS'
const { stringify } = require("csv-stringify/sync");
const Papa = require("papaparse");
const { version } = JSON.parse(require("fs").readFileSync("node_modules/csv-stringify/package.json"));

const rows = [{ name: "a", paid: true }, { name: "b", paid: false }, { name: "c", paid: null }, { name: "d", paid: "" }, { name: "e", paid: new Date(0) }];
const written = stringify(rows).trim().split("\n");
const peer = Papa.unparse(rows, { header: false, newline: "\n" }).split("\n");
console.log("csv-stringify", version, "papaparse", "5.7.1");
console.log("guess: a,true b,false c, d, e,1970-01-01T00:00:00.000Z");
console.log("seen: csv-stringify", ...written);
console.log("seen: papaparse", ...peer);
const same = (list, text) => list.join(" ") === text;
process.exit(same(written, "a,1 b, c, d, e,0") && same(peer, "a,true b,false c, d, e,1970-01-01T00:00:00.000Z") ? 0 : 1);
JS
node write.cjs
