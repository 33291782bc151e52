"""A small web server for tests: one resource on the loopback interface, as helpful or as broken as a test wants it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Resource:
    """What is served, and how. Change any of it while the server runs."""

    data: bytes
    url: str = ""
    etags: bool = True
    ranges: bool = True
    lengths: bool = True
    head: bool = True
    credentials: str | None = None
    break_after: list[int] = field(default_factory=list)
    """For each of the next GETs: the bytes of the body after which the connection is cut."""
    refusals: list[int] = field(default_factory=list)
    """Statuses of the next answers to GET, instead of 200."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Method and Range header of each request."""

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.data).hexdigest()[:16]}"'


class _Server(ThreadingHTTPServer):
    def __init__(self, resource: Resource) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.resource = resource


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Stay silent."""

    def _answer(self, *, body: bool) -> None:
        resource = self.server.resource
        data, span = resource.data, self.headers.get("Range")
        resource.requests.append((self.command, span))
        # before the client hears anything, so that the test's next step cannot change it
        refusal = self._refusal(resource, body=body)
        limit = resource.break_after.pop(0) if body and not refusal and resource.break_after else len(data)
        start = int(span.removeprefix("bytes=").partition("-")[0]) if span is not None and resource.ranges else None
        self.send_response(refusal or (200 if start is None else 206))
        if refusal:
            self.send_header("Content-Length", "0")
        else:
            self._describe(resource, data, start)
        self.end_headers()
        if body and not refusal:
            start = start or 0
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data[start : start + limit])
            self.close_connection = True

    def _refusal(self, resource: Resource, *, body: bool) -> int | None:
        if body and resource.refusals:
            return resource.refusals.pop(0)
        wanted = "Basic " + base64.b64encode((resource.credentials or "").encode()).decode()
        if resource.credentials is not None and self.headers.get("Authorization") != wanted:
            return 401
        if not body and not resource.head:
            return 405
        if urlsplit(self.path).path != "/export.csv":
            return 404
        return None if self.headers.get("If-Match") in (None, "*", resource.etag) else 412

    def _describe(self, resource: Resource, data: bytes, start: int | None) -> None:
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if resource.etags:
            self.send_header("ETag", resource.etag)
        if resource.lengths:
            self.send_header("Content-Length", str(len(data) - (start or 0)))
        self.send_header("Accept-Ranges", "bytes" if resource.ranges else "none")


@contextlib.contextmanager
def serving(data: bytes) -> Iterator[Resource]:
    """Serve ``data`` as ``/export.csv`` until the block ends."""
    resource = Resource(data)
    server = _Server(resource)
    resource.url = f"http://127.0.0.1:{server.server_port}/export.csv"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield resource
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
