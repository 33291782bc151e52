"""A small web server for tests: one resource on the loopback interface, as helpful or as broken as a test wants it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Misbehaviour = Literal[
    "ranges whatever If-Range says",
    "ranges from another start",
    "ranges of another total",
    "ranges without a validator",
    "ranges refused",
    "ranges answered in pieces",
    "ranges by precondition",
    "HEAD of another size",
    "HEAD without a validator",
    "whole file without a validator",
    "no content",
]
"""What real servers, and the proxies before them, do beside the rules."""

PIECE_BYTES = 700_000


@dataclass(slots=True)
class Resource:
    """What is served, and how. Change any of it while the server runs."""

    data: bytes
    url: str = ""
    etags: bool = True
    nodes: int = 1
    """The servers that take turns to answer: each has an ETag of its own."""
    last_modified: str | None = None
    ranges: bool = True
    lengths: bool = True
    head: bool = True
    redirects: bool = False
    """Answer each request by the way to ``/elsewhere.csv``, where the resource is."""
    content_encoding: str | None = None
    misbehaviour: Misbehaviour | None = None
    credentials: str | None = None
    break_after: list[int] = field(default_factory=list)
    """For each of the next GETs: the bytes of the body after which the connection is cut."""
    versions: list[bytes] = field(default_factory=list)
    """What the data becomes, at the moment when a connection is cut."""
    refusals: list[int] = field(default_factory=list)
    """Statuses of the next answers to GET, instead of 200."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Method and Range header of each request."""
    asked: list[Mapping[str, str]] = field(default_factory=list)
    """All headers of each request."""
    paths: list[str] = field(default_factory=list)

    @property
    def etag(self) -> str:
        node = len(self.requests) % self.nodes
        return f'"{hashlib.sha256(self.data).hexdigest()[:16]}{node or ""}"'


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
        resource.asked.append(dict(self.headers))
        resource.paths.append(self.path)
        if resource.redirects and urlsplit(self.path).path != "/elsewhere.csv":
            self._redirect()
            return
        # before the client hears anything, so that the test's next step cannot change it
        refusal = self._refusal(resource, body=body)
        limit = resource.break_after.pop(0) if body and not refusal and resource.break_after else None
        start = None if span is None else self._start(span)
        stop = len(data) if span is None or start is None else self._stop(span, len(data))
        self.send_response(refusal or (200 if start is None else 206))
        if refusal:
            self.send_header("Content-Length", "0")
        else:
            self._describe(resource, data, start, stop)
        self.end_headers()
        if body and not refusal:
            end = stop
            if start is not None and resource.misbehaviour == "ranges answered in pieces":
                end = min(start + PIECE_BYTES, end)
            if limit is not None:
                end = min(end, (start or 0) + limit)
                resource.data = resource.versions.pop(0) if resource.versions else resource.data
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data[start or 0 : end])
            self.close_connection = True

    def _redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/elsewhere.csv")
        self.send_header("ETag", '"of the redirect"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _start(self, span: str) -> int | None:
        """Where a range begins; None where all of it is sent."""
        resource = self.server.resource
        condition = self.headers.get("If-Range")
        known = {resource.etag if resource.etags else None, resource.last_modified}
        same = condition is None or condition in known or resource.misbehaviour == "ranges whatever If-Range says"
        if not resource.ranges or not same:
            return None
        return int(span.removeprefix("bytes=").partition("-")[0])

    @staticmethod
    def _stop(span: str, size: int) -> int:
        """Where a range ends, which may be open."""
        last = span.partition("-")[2]
        return min(int(last) + 1, size) if last else size

    def _refusal(self, resource: Resource, *, body: bool) -> int | None:
        if body and resource.refusals:
            return resource.refusals.pop(0)
        wanted = "Basic " + base64.b64encode((resource.credentials or "").encode()).decode()
        if resource.credentials is not None and self.headers.get("Authorization") != wanted:
            return 401
        if not body and not resource.head:
            return 405
        if urlsplit(self.path).path not in ("/export.csv", "/elsewhere.csv"):
            return 404
        if resource.misbehaviour == "no content":
            return 204
        return self._failed_condition(resource)

    def _failed_condition(self, resource: Resource) -> int | None:
        if self.headers.get("Range") is not None:
            if resource.misbehaviour == "ranges refused":
                return 416
            if resource.misbehaviour == "ranges by precondition" and self.headers.get("If-Range") != resource.etag:
                return 412
        return None if self.headers.get("If-Match") in (None, "*", resource.etag) else 412

    def _describe(self, resource: Resource, data: bytes, start: int | None, stop: int) -> None:
        told, last, total = start, stop - 1, len(data)
        if start is not None:
            match resource.misbehaviour:
                case "ranges from another start":
                    told = start - 1
                case "ranges of another total":
                    total += 1
                case "ranges answered in pieces":
                    last = min(start + PIECE_BYTES, stop) - 1
            self.send_header("Content-Range", f"bytes {told}-{last}/{total}")
        if not self._is_silent(resource, start):
            if resource.etags:
                self.send_header("ETag", resource.etag)
            if resource.last_modified is not None:
                self.send_header("Last-Modified", resource.last_modified)
        if resource.content_encoding is not None:
            self.send_header("Content-Encoding", resource.content_encoding)
        if resource.lengths:
            length = last + 1 - (start or 0)
            other_size = self.command == "HEAD" and resource.misbehaviour == "HEAD of another size"
            self.send_header("Content-Length", "0" if other_size else str(length))
        self.send_header("Accept-Ranges", "bytes" if resource.ranges else "none")

    def _is_silent(self, resource: Resource, start: int | None) -> bool:
        """Whether this answer leaves out the validators that others have."""
        match resource.misbehaviour:
            case "ranges without a validator":
                return start is not None
            case "HEAD without a validator":
                return self.command == "HEAD"
            case "whole file without a validator":
                return start is None and len(resource.requests) > 1
        return False


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
