#!/usr/bin/env bash
# cloudpathlib and an object that is replaced within the second in which the object before it was written, on moto's server.
#
# Guess, written before the run: the new bytes; S3 says with each object's ETag that it is another one.
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
venv/bin/pip install --quiet --disable-pip-version-check 'cloudpathlib[s3]==0.26.0' 'moto[server,s3]==5.2.5' boto3==1.44.8
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
venv/bin/moto_server -H 127.0.0.1 -p "$port" > server.log 2>&1 &
server=$!
AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1 venv/bin/python - "http://127.0.0.1:$port" <<'PYTHON'
import sys
import time

import boto3
import cloudpathlib
from botocore.exceptions import BotoCoreError

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
for _ in range(150):
    try:
        s3.create_bucket(Bucket="exports")
        break
    except BotoCoreError:
        time.sleep(0.2)
path = cloudpathlib.S3Client(endpoint_url=sys.argv[1]).S3Path("s3://exports/day.csv")


def after_two_writes(apart: float) -> tuple[bytes, bytes]:
    time.sleep(1.1 - time.time() % 1)
    read = []
    for body in (b"id\n1\n", b"id\n1\n2\n3\n"):
        s3.put_object(Bucket="exports", Key="day.csv", Body=body)
        read.append(path.read_bytes())
        time.sleep(apart)
    time.sleep(1.5)
    return read[1], path.read_bytes()


print("cloudpathlib", cloudpathlib.__version__, "moto 5.2.5")
print("guess:", b"id\n1\n2\n3\n")
seen = [after_two_writes(1.5), after_two_writes(0)]
print("seen: written 1.5 seconds apart, it reads", seen[0][0])
print("seen: written within a second, it reads", seen[1][0], "and two seconds later", seen[1][1])
print("seen: size() of the same path is", path.stat().st_size, "and S3 says", s3.head_object(Bucket="exports", Key="day.csv")["ContentLength"])
old, new = b"id\n1\n", b"id\n1\n2\n3\n"
sys.exit(seen != [(new, new), (old, old)])
PYTHON
