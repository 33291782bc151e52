"""An HTTP proxy in front of an S3 server: counts what passes; refuses, and answers otherwise than it, on demand.

Requests keep their Host header, which is signed: the server sees what the client meant for the proxy.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK_BYTES = 256 * 1024
HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request that came: ``sent`` bytes of body up, ``answered`` bytes of body down."""

    method: str
    bucket: str
    key: str
    query: dict[str, list[str]]
    copies: bool
    sent: int
    answered: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that just came, for those who decide what becomes of it; ``headers`` are their names, lower case."""

    method: str
    key: str
    query: dict[str, list[str]]
    copies: bool
    headers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer. ``body``: None for that of an object, which passes as it is."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


@dataclass(slots=True)
class Proxy:
    """Where it listens, what passed, and ``refuse``: a status and an S3 error code instead of the server's answer.

    ``message`` is what such an error says for people.
    ``answering`` is called when the server has answered and the client has not heard it yet.
    ``alter`` makes another answer of the server's.
    ``bytes_per_second`` bounds each connection's uploads, so that a test can act while they last.
    ``link_bytes_per_second`` bounds all bodies of all connections together, both ways, as a network does; ``passed``
    counts them as they pass.
    """

    url: str
    requests: list[Request] = field(default_factory=list)
    refuse: Callable[[Asked], tuple[int, str] | None] = lambda _: None
    message: str = "injected"
    answering: Callable[[Asked], object] = lambda _: None
    alter: Callable[[Asked, Answer], Answer] = lambda _, answer: answer
    bytes_per_second: float | None = None
    link_bytes_per_second: float | None = None
    passed: int = 0

    def sent(self, *, key: str = "") -> int:
        """Body bytes of PUTs of keys with ``key`` in them."""
        return sum(one.sent for one in self.requests if one.method == "PUT" and key in one.key)

    def answered(self, *, key: str = "") -> int:
        """Body bytes of GETs of objects with ``key`` in their keys."""
        return sum(one.answered for one in self.requests if one.method == "GET" and one.key and key in one.key)

    def copied(self) -> int:
        """Requests that copy on the server."""
        return sum(one.copies for one in self.requests)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or 0)
        self.proxy = Proxy(f"http://127.0.0.1:{self.server_port}")
        self.lock = threading.Lock()
        self.free_at = 0.0

    def carry(self, size: int) -> None:
        """Let bytes pass when it is their turn."""
        with self.lock:
            self.proxy.passed += size
            rate = self.proxy.link_bytes_per_second
            if not rate:
                return
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + size / rate
            wait = self.free_at - now
        time.sleep(wait)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed closes its connections: that is what tests do here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = BLOCK_BYTES
    server: _Server

    def do_GET(self) -> None:
        self._pass()

    def do_PUT(self) -> None:
        self._pass()

    def do_POST(self) -> None:
        self._pass()

    def do_HEAD(self) -> None:
        self._pass()

    def do_DELETE(self) -> None:
        self._pass()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Stay silent."""

    def _pass(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = parts.path.lstrip("/").partition("/")
        copies = self.headers["x-amz-copy-source"] is not None
        query = parse_qs(parts.query, keep_blank_values=True)
        size = int(self.headers.get("Content-Length", 0))
        asked = Asked(self.command, key, query, copies, self._names())
        refusal = self.server.proxy.refuse(asked)
        if refusal is not None:
            self._drop(size)
            answered = self._refuse(*refusal)
        else:
            answered = self._forward(size, asked)
        with self.server.lock:
            self.server.proxy.requests.append(Request(self.command, bucket, key, query, copies, size, answered))

    def _names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in self.headers)

    def _refuse(self, status: int, code: str) -> int:
        body = f"<Error><Code>{code}</Code><Message>{self.server.proxy.message}</Message></Error>".encode()
        if self.command == "HEAD":
            body = b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return len(body)

    def _drop(self, size: int) -> None:
        for _ in self._body(size):
            pass

    def _body(self, size: int) -> Iterator[bytes]:
        while size:
            block = self.rfile.read1(min(size, BLOCK_BYTES))
            if not block:
                raise ConnectionResetError
            size -= len(block)
            if self.server.proxy.bytes_per_second:
                time.sleep(len(block) / self.server.proxy.bytes_per_second)
            self.server.carry(len(block))
            yield block

    def _forward(self, size: int, asked: Asked) -> int:
        server = http.client.HTTPConnection(*self.server.target)
        with contextlib.closing(server):
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    server.putheader(name, value)
            server.putheader("Content-Length", str(size))
            server.endheaders()
            for block in self._body(size):
                server.send(block)
            response = server.getresponse()
            self.server.proxy.answering(asked)
            return self._answer(response, asked)

    def _answer(self, response: http.client.HTTPResponse, asked: Asked) -> int:
        """Objects pass block by block, all else as a whole. A HEAD has the length of what it does not send."""
        length = response.getheader("Content-Length")
        streams = self.command == "HEAD" or (self.command == "GET" and bool(asked.key) and length is not None)
        headers = tuple(one for one in response.getheaders() if one[0].lower() not in HOP_BY_HOP)
        if streams:
            headers += (("Content-Length", length or "0"),)
        answer = Answer(response.status, headers, None if streams else response.read())
        answer = self.server.proxy.alter(asked, answer)
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.body is not None:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body or b"")
        passed = len(answer.body or b"")
        while streams and (block := response.read(BLOCK_BYTES)):
            self.server.carry(len(block))
            self.wfile.write(block)
            passed += len(block)
        return passed


@contextlib.contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """A proxy in front of ``target`` until the block is left."""
    server = _Server(target)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
