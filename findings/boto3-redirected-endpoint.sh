#!/usr/bin/env bash
# boto3 and an S3 endpoint behind a proxy that sends every http request to https with a 301.
#
# Guess, written before the run: a ClientError that names the 301, after one request or two.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check boto3==1.44.8 botocore==1.44.8
venv/bin/python - <<'PYTHON'
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

asked = []


class ToHttps(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked.append(f"{self.command} {self.path}")
        self.send_response(301)
        self.send_header("Location", f"https://store.example{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), ToHttps)
threading.Thread(target=server.serve_forever, daemon=True).start()
s3 = boto3.client(
    "s3", endpoint_url=f"http://127.0.0.1:{server.server_port}", region_name="us-east-1",
    aws_access_key_id="key", aws_secret_access_key="secret",
)
print("boto3", boto3.__version__)
print("guess: a ClientError with 301")
try:
    s3.list_objects_v2(Bucket="exports")
except Exception as error:
    seen = f"{type(error).__name__}: {error}"
print("seen:", seen)
print(f"seen: {len(asked)} requests; first {asked[0]}, then {asked[1]}, again and again, each from within the one before")
sys.exit("maximum recursion depth" not in seen or len(asked) < 20 or set(asked[1:]) != {"HEAD /exports"})
PYTHON
