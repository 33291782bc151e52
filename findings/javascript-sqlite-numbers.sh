#!/usr/bin/env bash
# Numbers that are bound to a TEXT column of SQLite from JavaScript, by sql.js and libsql's client.
#
# Guess, written before the run: 7 is stored as 7, and 3000000000 as 3000000000, as by node-sqlite3-wasm.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm install --silent --no-audit --no-fund --prefix "$place" sql.js@1.17.0 @libsql/client@0.18.0 node-sqlite3-wasm@0.8.60
cat > bind.cjs <<'JS'
const { createClient } = require("@libsql/client");
const { Database } = require("node-sqlite3-wasm");
const { readFileSync } = require("fs");
const initSqlJs = require("sql.js");

const table = "CREATE TABLE orders (code TEXT)";
const insert = "INSERT INTO orders VALUES (?)";
const numbers = [7, 2147483647, 3000000000];
const seen = {};
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;

(async () => {
  const SQL = await initSqlJs();
  const first = new SQL.Database();
  first.run(table);
  for (const number of numbers) first.run(insert, [number]);
  seen["sql.js"] = first.exec("SELECT code FROM orders")[0].values.flat();

  const second = createClient({ url: "file:orders.db" });
  await second.execute(table);
  for (const number of numbers) await second.execute({ sql: insert, args: [number] });
  seen["@libsql/client"] = (await second.execute("SELECT code FROM orders")).rows.map((row) => row.code);
  second.close();

  const third = new Database(":memory:");
  third.exec(table);
  for (const number of numbers) third.run(insert, [number]);
  seen["node-sqlite3-wasm"] = third.all("SELECT code FROM orders").map((row) => row.code);
  third.close();

  console.log("guess:", numbers.map(String).join(" "));
  for (const [name, codes] of Object.entries(seen)) console.log("seen:", name, version(name), codes.join(" "));
  const expected = {
    "sql.js": ["7", "2147483647", "3000000000.0"],
    "@libsql/client": ["7.0", "2147483647.0", "3000000000.0"],
    "node-sqlite3-wasm": ["7", "2147483647", "3000000000"],
  };
  process.exit(JSON.stringify(seen) === JSON.stringify(expected) ? 0 : 1);
})();
JS
node bind.cjs
