"""Lambda's Invoke and the two look-ups before it, on the loopback interface, answered as a test says.

Paths and shapes are those of botocore's model of the service.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from splitjoin_cli.core.aws.options import AwsOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.servers.lambda_runtime import LambdaProcess

REQUEST_ID = "5f3c1d2e-0000-4000-8000-000000000001"
PATH = re.compile(r"/[0-9-]+/functions/(?P<name>[^/]+)/(?P<what>configuration|concurrency|invocations)")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a document, and how. ``error``: the code of an error; ``failed``: the function did."""

    document: object = None
    status: int = 200
    error: str | None = None
    failed: bool = False

    @classmethod
    def refusal(cls, code: str, status: int, message: str = "Rate Exceeded.") -> Reply:
        """An error of the service."""
        return cls({"message": message, "Type": "User"}, status, code)

    @classmethod
    def failure(cls, kind: str, message: str) -> Reply:
        """An error of the function."""
        return cls({"errorType": kind, "errorMessage": message}, failed=True)


@dataclass(slots=True)
class LambdaService:
    """``invoke``: answers an event. ``configuration``, ``concurrency``: what look-ups say."""

    invoke: Callable[[dict[str, Any]], Reply]
    configuration: Reply = field(default_factory=lambda: Reply({"Timeout": 300, "MemorySize": 1769}))
    concurrency: Reply = field(default_factory=lambda: Reply({}))
    asked: list[str] = field(default_factory=list)
    """What was called, by the name of each function."""
    port: int = 0

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> AwsOptions:
        """Which reach it."""
        return AwsOptions(region="us-east-1", endpoint_url=self.endpoint_url)

    @property
    def env(self) -> Mapping[str, str]:
        """What makes a command use it for Lambda, and nothing else."""
        return {"AWS_ENDPOINT_URL_LAMBDA": self.endpoint_url}

    def answer(self, path: str, body: bytes) -> Reply:
        """For one request."""
        found = PATH.fullmatch(unquote(path.partition("?")[0]))
        if found is None:
            return Reply.refusal("UnknownOperationException", 404, "no such path")
        self.asked.append(f"{found['what']} {found['name']}")
        match found["what"]:
            case "configuration":
                return self.configuration
            case "concurrency":
                return self.concurrency
            case _:
                return self.invoke(json.loads(body))

    @contextlib.contextmanager
    def serving(self) -> Iterator[LambdaService]:
        """Listens meanwhile."""
        server = _Server(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    """One whose client may hang up before it is answered."""

    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address


def _handler(service: LambdaService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes

        def do_GET(self) -> None:
            self._reply(service.answer(self.path, b""))

        def do_POST(self) -> None:
            self._reply(service.answer(self.path, self.rfile.read(int(self.headers["Content-Length"] or 0))))

        def _reply(self, reply: Reply) -> None:
            body = reply.document if isinstance(reply.document, bytes) else json.dumps(reply.document).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-amzn-RequestId", REQUEST_ID)
            if reply.error is not None:
                self.send_header("x-amzn-ErrorType", reply.error)
            if reply.failed:
                self.send_header("X-Amz-Function-Error", "Unhandled")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's own name
            del format, args

    return Handler


def environments(processes: Sequence[LambdaProcess]) -> Callable[[dict[str, Any]], Reply]:
    """What invokes a function in as many environments: each runs one event at a time, as Lambda's do."""
    free: SimpleQueue[LambdaProcess] = SimpleQueue()
    for process in processes:
        free.put(process)
    numbers = itertools.count(1)

    def invoke(event: dict[str, Any]) -> Reply:
        process = free.get()
        try:
            answer = process.invoke(event, f"r-{next(numbers)}")
        finally:
            free.put(process)
        return Reply(answer.document, failed=answer.failed)

    return invoke
