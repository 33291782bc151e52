#!/usr/bin/env bash
# python-zstandard's decompress() and a file of two frames, such as two chunks that were put together with cat.
#
# Guess, written before the run: decompress() gives the bytes of both frames, as gzip.decompress does for two members, and as
# its own open() and stream_reader() do.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check zstandard==0.25.0
"$place/venv/bin/python" - "$place/two.zst" <<'PYTHON'
import gzip
import sys

import zstandard

parts = [b"id,name\n1,Ann\n", b"2,Bob\n"]
whole = b"".join(parts)
data = b"".join(map(zstandard.compress, parts))
with open(sys.argv[1], "wb") as file:
    file.write(data)
print("python-zstandard", zstandard.__version__)
print("guess: all three give", whole)
assert gzip.decompress(b"".join(map(gzip.compress, parts))) == whole
at_once = zstandard.ZstdDecompressor().decompress(data)
with zstandard.open(sys.argv[1]) as file:
    opened = file.read()
with open(sys.argv[1], "rb") as file:
    streamed = zstandard.ZstdDecompressor().stream_reader(file).read()
print("seen: open()", opened)
print("seen: stream_reader()", streamed)
print("seen: decompress()", at_once, "and no error")
sys.exit((at_once, opened, streamed) != (parts[0], whole, whole))
PYTHON
