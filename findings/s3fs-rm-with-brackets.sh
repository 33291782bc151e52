#!/usr/bin/env bash
# s3fs and two objects, export[1].csv and export1.csv, of which the first is read and then removed, on moto's server.
#
# Guess, written before the run: cat() and open() read export[1].csv, rm() removes it, and export1.csv stays.
set -euo pipefail
place=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
    rm -rf "$place"
}
trap end EXIT
cd "$place"
python3 -m venv store
store/bin/pip install --quiet --disable-pip-version-check 'moto[server]==5.2.5'
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check s3fs==2026.9.0 aiobotocore==3.10.0
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
store/bin/moto_server -H 127.0.0.1 -p "$port" > server.log 2>&1 &
server=$!
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="http://127.0.0.1:$port"
venv/bin/python - <<'PYTHON'
import sys
import time

import s3fs
from botocore.exceptions import BotoCoreError

fs = s3fs.S3FileSystem(use_listings_cache=False)
for _ in range(300):
    try:
        fs.mkdir("exports")
        break
    except (BotoCoreError, OSError):
        time.sleep(0.2)
named, other = "exports/in/export[1].csv", "exports/in/export1.csv"
print("s3fs", s3fs.__version__)
print("guess: the object that is named, each time")


def stored() -> list[str]:
    return sorted(fs.find("exports"))


fs.pipe_file(named, b"north")
fs.pipe_file(other, b"south")
with fs.open(named) as file:
    opened = file.read()
held = fs.cat(named)
fs.rm(named)
left = stored()
print("seen: open() reads", opened)
print("seen: cat() reads", held)
print("seen: after rm() there is", left)
fs.rm_file(named)
gone = stored()
print("seen: after rm_file() there is", gone)
sys.exit((opened, held, left, gone) != (b"north", {other: b"south"}, [named], []))
PYTHON
