#!/usr/bin/env bash
# An object that is replaced by another of the same size while pyarrow or smart_open reads it, on moto's server.
#
# Guess, written before the run: the bytes of the old object, or an error, since S3 lets each request say which version it is for.
set -euo pipefail
place=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
    rm -rf "$place"
}
trap end EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'moto[server]==5.2.5' boto3==1.43.117 smart_open==9.0.2 pyarrow==26.0.1
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
venv/bin/moto_server -H 127.0.0.1 -p "$port" > server.log 2>&1 &
server=$!
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="http://127.0.0.1:$port"
venv/bin/python - "$port" <<'PYTHON'
import sys
import time
from collections.abc import Callable
from typing import BinaryIO

import boto3
import pyarrow
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
RECORD_BYTES, FIRST_BYTES = 13, 1_300_007  # FIRST: the header and 100,000 records
old, new = (b"id,day\n" + day * 500_000 for day in (b"1,2024-01-31\n", b"1,2024-02-29\n"))
arrow = S3FileSystem(endpoint_override=f"127.0.0.1:{sys.argv[1]}", scheme="http")


def read(opened: Callable[[], BinaryIO], *, skipped: int = 0) -> str:
    s3.put_object(Bucket="exports", Key="a.csv", Body=old)
    with opened() as file:
        data = file.read(FIRST_BYTES)
        s3.put_object(Bucket="exports", Key="a.csv", Body=new)
        if skipped:
            file.seek(FIRST_BYTES + skipped * RECORD_BYTES)
        data += file.read()
    assert len(data) == len(old) - skipped * RECORD_BYTES
    return f"{data.count(b'2024-01-31')} old records, {data.count(b'2024-02-29')} new ones"


print("pyarrow", pyarrow.__version__, "smart_open", smart_open.__version__)
print("guess: 500000 old records, or an error")
seen = {
    "pyarrow's open_input_stream": read(lambda: arrow.open_input_stream("exports/a.csv")),
    "pyarrow's open_input_file": read(lambda: arrow.open_input_file("exports/a.csv")),
    "smart_open": read(lambda: smart_open.open("s3://exports/a.csv", "rb")),
    "smart_open, after a seek over 1000 records": read(lambda: smart_open.open("s3://exports/a.csv", "rb"), skipped=1000),
}
for name, records in seen.items():
    print(f"seen: {name}: {records}")
mixed = "100000 old records, 400000 new ones"
sys.exit([*seen.values()] != [mixed, mixed, "500000 old records, 0 new ones", "100000 old records, 399000 new ones"])
PYTHON
