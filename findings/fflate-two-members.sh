#!/usr/bin/env bash
# fflate's gunzipSync() and a file of two gzip members, such as two chunks that were put together with cat.
#
# Guess, written before the run: the bytes of both, as Node's zlib and pako give them, or at the worst those of the first.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm install --silent --no-audit --no-fund --prefix "$place" fflate@0.8.3 pako@3.0.3
node - <<'NODE'
const zlib = require("node:zlib");
const fflate = require("fflate");
const pako = require("pako");

const parts = ["id,name\n1,Ann\n", "2,Bob\n"];
const whole = parts.join("");
const data = Buffer.concat(parts.map((part) => zlib.gzipSync(part)));
const text = (bytes) => Buffer.from(bytes).toString();
const streamed = [];
new fflate.Gunzip((bytes) => streamed.push(bytes)).push(data, true);
const others = {
  "zlib.gunzipSync()": text(zlib.gunzipSync(data)),
  "pako.ungzip()": text(pako.ungzip(data)),
  "fflate.Gunzip": streamed.map(text).join(""),
};
const seen = text(fflate.gunzipSync(data));
console.log("fflate", require("fflate/package.json").version, "pako", require("pako/package.json").version);
console.log("guess:", JSON.stringify(whole));
for (const [name, bytes] of Object.entries(others)) console.log(`seen: ${name}`, JSON.stringify(bytes));
console.log("seen: fflate.gunzipSync()", JSON.stringify(seen), "and no error: the first member, cut to the length of the last");
process.exit(seen === "id,nam" && Object.values(others).every((bytes) => bytes === whole) ? 0 : 1);
NODE
