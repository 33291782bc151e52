"""Faults that no server produces on demand, put between a botocore client and its server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_s3 import S3Client


class _Raw(BytesIO):
    """The part of a urllib3 response that botocore reads."""

    def stream(self, **_: object) -> Iterator[bytes]:
        while data := self.read():
            yield data


class Faults:
    """Hooks on a client: what happens to the requests of an operation, by its number among them, from 1.

    ``seen`` counts the requests of each operation, those that were not let through too; ``headers`` has them.
    """

    def __init__(self, client: S3Client) -> None:
        self.seen: Counter[str] = Counter()
        self.headers: list[tuple[str, dict[str, str]]] = []
        self._session = cast("Any", client)._endpoint.http_session
        self._plans: dict[str, Callable[[int, AWSPreparedRequest], AWSResponse | None]] = {}
        self._lock = threading.Lock()
        hooks: Any = client.meta.events
        hooks.register_first("before-send.s3", self._before_send)

    def answer(self, operation: str, *numbers: int, status: int, code: str, message: str = "injected") -> None:
        """The server's place is taken: an error instead of these requests (all of them without numbers)."""

        def plan(number: int, request: AWSPreparedRequest) -> AWSResponse | None:
            if numbers and number not in numbers:
                return None
            body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            return AWSResponse(request.url, status, HTTPHeaders(), _Raw(body))

        self._plans[operation] = plan

    def lose_request(self, operation: str, *numbers: int) -> None:
        """The connection is lost before the server sees these."""

        def plan(number: int, request: AWSPreparedRequest) -> None:
            if number in numbers:
                raise ConnectionClosedError(endpoint_url=request.url)

        self._plans[operation] = plan

    def lose_answer(self, operation: str, *numbers: int) -> None:
        """The server does what these ask for; the connection is lost before its answer arrives."""

        def plan(number: int, request: AWSPreparedRequest) -> None:
            if number in numbers:
                self._session.send(request)
                raise ConnectionClosedError(endpoint_url=request.url)

        self._plans[operation] = plan

    def before(self, operation: str, number: int, act: Callable[[], object]) -> None:
        """Something happens elsewhere just before this request; then it is sent."""

        def plan(found: int, _request: AWSPreparedRequest) -> None:
            if found == number:
                act()

        self._plans[operation] = plan

    def headers_of(self, operation: str) -> list[dict[str, str]]:
        """The headers of all requests of an operation."""
        return [headers for name, headers in self.headers if name == operation]

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        with self._lock:
            self.seen[operation] += 1
            number = self.seen[operation]
            headers = {name.lower(): _text(value) for name, value in request.headers.items()}
            self.headers.append((operation, headers))
        plan = self._plans.get(operation)
        return plan(number, request) if plan else None


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


class FlakyProxy:
    """A TCP proxy in front of a server that cuts connections: each entry of ``cuts`` is used by one connection.

    ``("up", n)`` cuts after n bytes of request, ``("down", n)`` after n bytes of answer.
    """

    def __init__(self, target_url: str) -> None:
        parts = urlsplit(target_url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts: list[tuple[str, int]] = []
        self.cut = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                limits = dict([self.cuts.pop(0)]) if self.cuts else {}
                for direction, source, sink in (("up", client, server), ("down", server, client)):
                    pump = threading.Thread(target=self._pump, args=(source, sink, limits.get(direction)), daemon=True)
                    pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data if limit is None else data[: limit - passed])
                passed += len(data)
                if limit is not None and passed >= limit:
                    self.cut += 1
                    break
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()
