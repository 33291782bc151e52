#!/usr/bin/env bash
# obstore's list() of a bucket that has a key with one slash too many, on moto's server.
#
# Guess, as one has it without a run: list() gives each key as it is, and get() of what list() gave reads that object.
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
venv/bin/pip install --quiet --disable-pip-version-check obstore==0.12.1 'moto[server]==5.2.5' boto3==1.43.117
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
venv/bin/moto_server -H 127.0.0.1 -p "$port" > server.log 2>&1 &
server=$!
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="http://127.0.0.1:$port"
venv/bin/python - <<'PYTHON'
import os
import sys
import time

import boto3
import obstore
from botocore.exceptions import BotoCoreError
from obstore.exceptions import BaseError
from obstore.store import S3Store

s3 = boto3.client("s3")
for _ in range(300):
    try:
        s3.create_bucket(Bucket="exports")
        break
    except BotoCoreError:
        time.sleep(0.2)
store = S3Store("exports", endpoint=os.environ["AWS_ENDPOINT_URL"], region="us-east-1", client_options={"allow_http": True})


def listed(*keys: str) -> object:
    for key in keys:
        s3.put_object(Bucket="exports", Key=key, Body=key.encode())
    try:
        paths = [each["path"] for each in obstore.list(store).collect()]
        return [(path, bytes(obstore.get(store, path).bytes())) for path in paths]
    except BaseError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    finally:
        for key in keys:
            s3.delete_object(Bucket="exports", Key=key)


print("obstore", obstore.__version__)
print("guess: [('in//b.csv', b'in//b.csv'), ('in/a.csv', b'in/a.csv')] and [('/in/a.csv', b'/in/a.csv'), ('in/a.csv', b'in/a.csv')]")
seen = [listed("in/a.csv", "in//b.csv"), listed("in/a.csv", "/in/a.csv")]
print("seen: in/a.csv and in//b.csv:", seen[0])
print("seen: in/a.csv and /in/a.csv:", seen[1])
sys.exit(
    seen
    != [
        'InvalidPathError: Encountered object with invalid path: Path "in//b.csv" contained empty path segment',
        [("in/a.csv", b"in/a.csv"), ("in/a.csv", b"in/a.csv")],
    ]
)
PYTHON
