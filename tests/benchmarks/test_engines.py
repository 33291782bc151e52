"""The comparison of engines: what its table says, and the server that has an export for it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING

from benchmarks.discard_server import EXPORT, DiscardServer, Held
from benchmarks.engines.compare import THREADS, Engines
from benchmarks.measure import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def served(path: Path) -> Iterator[tuple[DiscardServer, HTTPConnection]]:
    """A server of this process that has a file, and a connection to it."""
    server = DiscardServer(("127.0.0.1", 0))
    server.objects[EXPORT] = Held(path.stat().st_size, file=path)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    connection = HTTPConnection("127.0.0.1", server.server_port)
    try:
        yield server, connection
    finally:
        connection.close()
        server.shutdown()
        thread.join()
        server.server_close()


def asked(to: HTTPConnection, method: str, target: str, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
    """An answer's status, range and body."""
    to.request(method, target, headers=headers)
    answer = to.getresponse()
    return answer.status, answer.headers["Content-Range"], answer.read()


def test_the_server_has_an_export_by_ranges(tmp_path: Path) -> None:
    """Bytes as the file's, and parts that are copied from it count in the size of what is stored."""
    path = tmp_path / "export.csv"
    path.write_bytes(b"id\n" + b"1\n" * 50)
    with served(path) as (server, to):
        assert asked(to, "GET", EXPORT, {"Range": "bytes=2-6"}) == (206, "bytes 2-6/103", b"\n1\n1\n")
        assert asked(to, "GET", EXPORT, {}) == (200, None, path.read_bytes())
        server.uploads["u0"] = Held()
        copied = {"x-amz-copy-source": "exports/export.csv", "x-amz-copy-source-range": "bytes=10-29"}
        status, _, body = asked(to, "PUT", "/b/k?partNumber=1&uploadId=u0", copied)
        assert (status, b"<CopyPartResult" in body) == (200, True)
        assert server.uploads["u0"].size == 20


def test_ratios_are_of_the_same_round() -> None:
    """Each run beside that of threads in its own round; the cluster's CPU time is the run's."""
    slow = (Usage(2.0, 1.0, 0), Usage(4.0, 1.0, 0), Usage(8.0, 2.0, 0))
    there = (Usage(4.0, 3.0, 0), Usage(5.0, 3.0, 0), Usage(10.0, 3.0, 0))
    found = Engines(1000, {8: {THREADS: slow, "other": there}}, (0.004, 0.0061), {"Lithops": "no"}, {"other": "bytes"})
    assert found.markdown().splitlines() == [
        "### S3 to S3, 1,000 bytes, two workers",
        "",
        "| chunks of 8 bytes | s | speed / threads | CPU s | / threads | what comes out right |",
        "|---|---:|---:|---:|---:|---|",
        f"| {THREADS} | 4.0 | 1.00 | 1.00 | 1.00 | quotes, headers, bytes |",
        "| other | 5.0 | 0.80 | 3.00 | 3.00 | bytes |",
        "",
        "A unit with nothing to do: 4.0 ms by the clock, 6.1 ms of CPU",
        "Left out: Lithops: no",
    ]
