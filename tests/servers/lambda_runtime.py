"""Lambda's Runtime API on the loopback interface, and its real runtime client running a function against it.

Shapes as in the Lambda Developer Guide, "Using the Lambda runtime API".
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.processes import SERVERS_BIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PREFIX = "/2018-06-01/runtime/"
NAME = "loads"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}"
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function returned, or the error that it ended with."""

    document: Any
    failed: bool


@dataclass(slots=True)
class LambdaProcess:
    """One execution environment. ``cold_seconds``: from its start until it asked for the first event."""

    cold_seconds: float
    log: Path
    _events: queue.Queue[tuple[str, bytes, int]] = field(default_factory=queue.Queue)
    _answers: queue.Queue[Answer] = field(default_factory=queue.Queue)

    def invoke(self, event: object, request_id: str, *, seconds: float = 60.0) -> Answer:
        """One invocation, which has so many ``seconds``."""
        self._events.put((request_id, json.dumps(event).encode(), int((time.time() + seconds) * 1000)))
        return self._answers.get(timeout=SECONDS)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it logged: every line is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextlib.contextmanager
def running_function(code: Path, handler: str, environment: Mapping[str, str], log: Path) -> Iterator[LambdaProcess]:
    """Run ``handler`` of the unpacked zip at ``code`` until the block is left. Its environment is this one alone."""
    python = SERVERS_BIN / "python"
    if not list((SERVERS_BIN.parent / "lib").glob("python*/site-packages/awslambdaric")):
        pytest.skip("awslambdaric is not installed: run `make servers`")
    process = LambdaProcess(0.0, log)
    asked = threading.Event()
    server = _Server(("127.0.0.1", 0), _api(process, asked))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = {
        "PATH": os.defpath,
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": NAME,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "LAMBDA_TASK_ROOT": str(code),
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    began = time.monotonic()
    with log.open("wb") as out:
        child = subprocess.Popen(
            [python, "-m", "awslambdaric", handler], cwd=code, env=own, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        assert asked.wait(SECONDS), log.read_text()
        process.cold_seconds = time.monotonic() - began
        yield process
    finally:
        child.kill()
        child.wait()
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """One whose client may be killed while it waits for an event."""

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address


def _api(process: LambdaProcess, asked: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.set()
            request_id, event, deadline = process._events.get()
            self.send_response(200)
            for name, value in (
                ("Lambda-Runtime-Aws-Request-Id", request_id),
                ("Lambda-Runtime-Deadline-Ms", str(deadline)),
                ("Lambda-Runtime-Invoked-Function-Arn", ARN),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(event))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            assert self.path.startswith(PREFIX)
            process._answers.put(Answer(json.loads(body), failed=self.path.endswith("/error")))
            asked.set()
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's own name
            del format, args

    return Api
