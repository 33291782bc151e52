"""An S3 endpoint that reads and discards: it shows what a client costs by itself, without a store's own cost.

    python benchmarks/discard_server.py [--port N] [--https DIRECTORY] [--export FILE]

It prints one line of JSON, ``{"url": ..., "ca_bundle": ...}``, once it listens on 127.0.0.1, and runs until it is
ended by its pid. It remembers names, sizes and headers (so that HEAD, listings, If-None-Match and multipart answers
are right) and the bytes of documents (.json) and of objects up to 16 KiB; all other bytes are counted and dropped.
Digests are echoed, never checked, and no signature is. Parts that are copied from another object count as sent.
``--export`` has a file's bytes under /exports/export.csv, whole or by ranges. ``--https`` writes a certificate for
127.0.0.1 into the directory with the ``openssl`` command.
"""

from __future__ import annotations

import argparse
import json
import re
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEPT_BYTES = 16 * 1024
BUFFER_BYTES = 256 * 1024
EXPORT = "/exports/export.csv"
RANGE = re.compile(r"bytes=(\d+)-(\d+)")
ETAG = '"00000000000000000000000000000000"'
CHECKSUM = "x-amz-checksum-crc64nvme"


@dataclass(slots=True)
class Held:
    """What is remembered of an object or of an open upload."""

    size: int = 0
    data: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    file: Path | None = None


class DiscardServer(ThreadingHTTPServer):
    """The listening socket and what is remembered. Thread-safe."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        """``address``: host and port; port 0 takes a free one."""
        super().__init__(address, Handler)
        self.lock = threading.Lock()
        self.objects: dict[str, Held] = {}
        self.uploads: dict[str, Held] = {}

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went: one that has read enough of a range does."""
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLEOFError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # its own words


class Handler(BaseHTTPRequestHandler):
    """One connection: PutObject, multipart, HEAD, GET, ListObjectsV2, DELETE."""

    protocol_version = "HTTP/1.1"
    rbufsize = BUFFER_BYTES
    disable_nagle_algorithm = True
    server: DiscardServer

    def do_PUT(self) -> None:
        """PutObject and UploadPart; making a bucket."""
        path, query = self._target()
        size, data = self._read_body()
        copied = RANGE.fullmatch(self.headers["x-amz-copy-source-range"] or "")
        if copied is not None:
            size = int(copied[2]) + 1 - int(copied[1])
        with self.server.lock:
            taken = self.headers["If-None-Match"] == "*" and path in self.server.objects
            if "uploadId" in query:
                self.server.uploads[query["uploadId"][0]].size += size
            elif path.strip("/").count("/") and not taken:
                self.server.objects[path] = Held(size, data, self._kept_headers())
        if taken:
            refusal = b"<Error><Code>PreconditionFailed</Code><Message>it is there already</Message></Error>"
            self._answer(HTTPStatus.PRECONDITION_FAILED, refusal)
            return
        if copied is not None:
            self._answer(HTTPStatus.OK, xml("CopyPartResult", f"<ETag>{escape(ETAG)}</ETag>"))
            return
        echoed = {CHECKSUM: self.headers[CHECKSUM]} if self.headers[CHECKSUM] else {}
        self._answer(HTTPStatus.OK, headers={"ETag": ETAG, **echoed})

    def do_POST(self) -> None:
        """CreateMultipartUpload and CompleteMultipartUpload; DeleteObjects, which deletes nothing."""
        path, query = self._target()
        self._read_body()
        if "delete" in query:
            self._answer(HTTPStatus.OK, xml("DeleteResult", ""))
            return
        bucket, _, key = path.strip("/").partition("/")
        names = f"<Bucket>{escape(bucket)}</Bucket><Key>{escape(key)}</Key>"
        with self.server.lock:
            if "uploads" in query:
                upload_id = f"u{len(self.server.uploads)}"
                self.server.uploads[upload_id] = Held(headers=self._kept_headers())
                body = xml("InitiateMultipartUploadResult", f"{names}<UploadId>{upload_id}</UploadId>")
            else:
                held = self.server.uploads[query["uploadId"][0]]
                if self.headers[CHECKSUM]:
                    held.headers[CHECKSUM] = self.headers[CHECKSUM]
                    names += f"<ChecksumCRC64NVME>{self.headers[CHECKSUM]}</ChecksumCRC64NVME>"
                self.server.objects[path] = held
                body = xml("CompleteMultipartUploadResult", f"{names}<ETag>{escape(ETAG)}</ETag>")
        self._answer(HTTPStatus.OK, body)

    def do_HEAD(self) -> None:
        """HeadObject; every bucket is there."""
        self._get(with_body=False)

    def do_GET(self) -> None:
        """GetObject of what is kept, ListObjectsV2, and an empty answer to other questions about a bucket."""
        self._get(with_body=True)

    def do_DELETE(self) -> None:
        """DeleteObject and AbortMultipartUpload."""
        path, query = self._target()
        with self.server.lock:
            if "uploadId" not in query:
                self.server.objects.pop(path, None)
        self._answer(HTTPStatus.NO_CONTENT)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's naming
        """Say nothing: a line per request would be part of what is measured."""

    def _get(self, *, with_body: bool) -> None:
        path, query = self._target()
        if not path.strip("/").count("/"):
            self._answer(HTTPStatus.OK, self._listing(path, query) if with_body else b"")
            return
        with self.server.lock:
            held = self.server.objects.get(path)
        if held is None:
            missing = b"<Error><Code>NoSuchKey</Code><Message>not here</Message></Error>" if with_body else b""
            self._answer(HTTPStatus.NOT_FOUND, missing)
            return
        headers = {"ETag": ETAG, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", **held.headers}
        if with_body and held.file is not None:
            self._send_range(held, headers)
        elif with_body:
            self._answer(HTTPStatus.OK, held.data or b"", headers)
        else:
            self._answer(HTTPStatus.OK, headers=headers, length=held.size)

    def _send_range(self, held: Held, headers: dict[str, str]) -> None:
        """The bytes of a file, from the page cache to the connection."""
        assert held.file is not None  # noqa: S101 -- the caller looked
        asked = RANGE.fullmatch(self.headers["Range"] or "")
        start, last = (int(asked[1]), min(int(asked[2]), held.size - 1)) if asked else (0, held.size - 1)
        if asked:
            headers = {**headers, "Content-Range": f"bytes {start}-{last}/{held.size}"}
        status = HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK
        self._answer(status, headers=headers, length=last + 1 - start)
        self.wfile.flush()
        with held.file.open("rb") as file:
            self.connection.sendfile(file, start, last + 1 - start)

    def _listing(self, path: str, query: dict[str, list[str]]) -> bytes:
        if "location" in query:
            return xml("LocationConstraint", "")
        if "uploads" in query:
            return xml("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>")
        start = f"/{path.strip('/')}/"
        wanted = start + query.get("prefix", [""])[0]
        with self.server.lock:
            found = sorted(
                (key[len(start) :], held.size) for key, held in self.server.objects.items() if key.startswith(wanted)
            )
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{escape(ETAG)}</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key, size in found
        )
        return xml("ListBucketResult", f"<KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>{rows}")

    def _target(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)

    def _kept_headers(self) -> dict[str, str]:
        return {
            k.lower(): v
            for k, v in self.headers.items()
            if k.lower() == CHECKSUM or k.lower().startswith("x-amz-meta-")
        }

    def _read_body(self) -> tuple[int, bytes | None]:
        """Take the body off the connection; its payload bytes, and the bytes themselves when they are few."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            wire = 0
            while chunk := int(self.rfile.readline().split(b";")[0], 16):
                self._drop(chunk)
                self.rfile.readline()
                wire += chunk
            while self.rfile.readline().strip():
                pass
            return int(self.headers.get("x-amz-decoded-content-length", wire)), None
        size = int(self.headers.get("Content-Length", 0))
        if size <= KEPT_BYTES or urlsplit(self.path).path.endswith(".json"):
            return size, self.rfile.read(size)
        self._drop(size)
        return int(self.headers.get("x-amz-decoded-content-length", size)), None

    def _drop(self, size: int) -> None:
        buffer = memoryview(bytearray(min(size, BUFFER_BYTES)))
        while size:
            got = self.rfile.readinto(buffer[: min(size, len(buffer))])
            if not got:
                raise ConnectionResetError
            size -= got

    def _answer(
        self, status: HTTPStatus, body: bytes = b"", headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


def xml(name: str, inner: str) -> bytes:
    """A document of S3's, ``inner`` being escaped already."""
    return f'<?xml version="1.0"?><{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{name}>'.encode()


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key, valid for a day."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *kind, *name, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def main(arguments: list[str] | None = None) -> int:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--https", type=Path, metavar="DIRECTORY", help="serve TLS; the certificate is written here")
    parser.add_argument("--export", type=Path, metavar="FILE", help=f"serve its bytes as {EXPORT}")
    options = parser.parse_args(arguments)
    server = DiscardServer(("127.0.0.1", options.port))
    if options.export:
        server.objects[EXPORT] = Held(options.export.stat().st_size, file=options.export)
    certificate: Path | None = None
    if options.https:
        certificate, key = make_certificate(options.https)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake is left to the connection's own thread: one slow client must not hold up the listener.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "https" if options.https else "http"
    answer = {"url": f"{scheme}://127.0.0.1:{server.server_port}", "ca_bundle": certificate and str(certificate)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
