#!/usr/bin/env bash
# A with block that writes a table to S3 and is left by an exception: smart_open, s3fs and pyarrow, on moto's server.
#
# Guess, written before the run: none of the three leaves an object; an upload that was not finished is given up.
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
venv/bin/pip install --quiet --disable-pip-version-check s3fs==2026.9.0 smart_open==9.0.2 pyarrow==26.0.1 aiobotocore==3.10.0 boto3==1.43.117
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
store/bin/moto_server -H 127.0.0.1 -p "$port" > server.log 2>&1 &
server=$!
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="http://127.0.0.1:$port"
venv/bin/python - "$port" <<'PYTHON'
import os
import sys
import time

import boto3
import pyarrow
import s3fs
import smart_open
from botocore.exceptions import BotoCoreError
from pyarrow.fs import S3FileSystem

s3 = boto3.client("s3")
for _ in range(300):
    try:
        s3.create_bucket(Bucket="exports")
        break
    except BotoCoreError:
        time.sleep(0.2)
print("smart_open", smart_open.__version__, "s3fs", s3fs.__version__, "pyarrow", pyarrow.__version__)
print("guess: nothing, nothing, nothing")
arrow = S3FileSystem(endpoint_override=f"127.0.0.1:{sys.argv[1]}", scheme="http")
ways = {
    "smart_open": lambda key: smart_open.open(f"s3://exports/{key}", "wb"),
    "s3fs": lambda key: s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"]).open(f"exports/{key}", "wb"),
    "pyarrow": lambda key: arrow.open_output_stream(f"exports/{key}"),
}
seen = {}
for name, opened in ways.items():
    try:
        with opened(name) as file:
            file.write(b"id,name\n1,Ann\n")
            raise ConnectionError("the database that the rows come from is gone")
    except ConnectionError:
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket="exports").get("Contents", [])]
        seen[name] = s3.get_object(Bucket="exports", Key=name)["Body"].read() if name in keys else None
    print(f"seen: {name} leaves", seen[name] or "nothing")
sys.exit(seen != {"smart_open": None, "s3fs": b"id,name\n1,Ann\n", "pyarrow": b"id,name\n1,Ann\n"})
PYTHON
