"""From S3 to S3 in one store: a split into small chunks beside s5cmd's copy of as many objects, requests counted."""

from __future__ import annotations

import subprocess
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.measure import middle, run
from benchmarks.surroundings import clean_env, made_data, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.measure import Usage
    from tests.servers.proxy import Proxy

CHUNK_BYTES = 4 * 1024 * 1024
MOST_REQUESTS = 2.0
"""For each chunk, the scan's included: its PUT, and its share of the GETs."""
OURS, PEER = "splitjoin split", "s5cmd cp"


@dataclass(frozen=True, slots=True)
class Copies:
    """The runs of both, and the requests of one split by what they are for."""

    chunks: int
    requests: Mapping[str, int]
    runs: Mapping[str, tuple[Usage, ...]]
    left_out: str | None = None

    def markdown(self) -> str:
        """Medians, the ratio to s5cmd, and requests per chunk."""
        lines = [f"### S3 to S3 in one store, {self.chunks} chunks of {CHUNK_BYTES:,} bytes", ""]
        if self.left_out is not None:
            return "\n".join([*lines, f"Left out: {self.left_out}"])
        counted = ", ".join(f"{count / self.chunks:.2f} {what}" for what, count in self.requests.items())
        of_chunks = sum(self.requests.get(what, 0) for what in ("GET of the source", "PUT of chunks")) / self.chunks
        lines += [f"- requests per chunk: {counted}"]
        lines += [
            f"- {of_chunks:.2f} of them for source and chunks; the goal is {MOST_REQUESTS:.0f} at most",
            "",
            "| tool | s | x s5cmd | CPU s |",
            "|---|---:|---:|---:|",
        ]
        peer = middle(self.runs[PEER])
        for name, usages in self.runs.items():
            found = middle(usages)
            cells = [name, f"{found.seconds:.1f}", f"{found.seconds / peer.seconds:.2f}", f"{found.cpu_seconds:.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        rows = [{"name": name, "runs": [asdict(one) for one in usages]} for name, usages in self.runs.items()]
        return {"title": "S3 to S3", "chunks": self.chunks, "requests": dict(self.requests), "rows": rows}

    def versions(self) -> list[str]:
        """Beside ours."""
        return [f"s5cmd {peers.first_line(peers.tool('s5cmd'), 'version')}"] if self.runs else []


def measure(size: int, rounds: int, directory: Path) -> Copies:
    """Both in turn; s5cmd copies the chunks of a first split, whose requests are counted."""
    try:
        with made_data(directory, size) as source, _store(source) as (proxy, env):
            say("S3 to S3: counting the requests of a split")
            subprocess.run(_split("counted"), env={**env, "AWS_ENDPOINT_URL_S3": proxy.url}, check=True)
            requests = requests_of(proxy)
            runs = _in_turns(rounds, env)
            chunks = sum(one.method == "PUT" and one.key.endswith(".csv") for one in proxy.requests)
    except LookupError as exc:
        return Copies(0, {}, {}, str(exc))
    return Copies(chunks, requests, runs)


def _in_turns(rounds: int, env: Mapping[str, str]) -> dict[str, tuple[Usage, ...]]:
    runs: dict[str, list[Usage]] = {OURS: [], PEER: []}
    copy = [peers.tool("s5cmd"), "--log", "error", "cp", "s3://bench/counted/*.csv"]
    with TemporaryDirectory() as scratch:
        for number in range(1, rounds + 1):
            for name, command in ((OURS, _split(f"ours-{number}")), (PEER, [*copy, f"s3://bench/peer-{number}/"])):
                say(f"S3 to S3, round {number} of {rounds}: {name}")
                runs[name].append(run(command, env=env, log=Path(scratch, "log")))
    return {name: tuple(usages) for name, usages in runs.items()}


def _split(place: str) -> list[str]:
    words = [peers.splitjoin(), "split", "s3://bench/export.csv", f"s3://bench/{place}/"]
    return [*words, "--client", "bench", "--date", "20240131", "--chunk-size", str(CHUNK_BYTES), "-q"]


def requests_of(proxy: Proxy) -> dict[str, int]:
    """What a split asked for, by kind. Chunks end with ``.csv``, and so does the source, which is read twice."""
    found: Counter[str] = Counter()
    for one in proxy.requests:
        what = "of chunks" if one.method == "PUT" and one.key.endswith(".csv") else "of the plan and manifest"
        if one.key == "export.csv":
            what = "of the source"
        found[f"{one.method} {what}" if one.key else "listings"] += 1
    return dict(found.most_common())


@contextmanager
def _store(source: Path) -> Iterator[tuple[Proxy, dict[str, str]]]:
    """A bucket that holds the source, a proxy before it, and the environment that leads there."""
    from benchmarks.servers import s3_server  # noqa: PLC0415 -- what it imports makes this process large
    from tests.servers.proxy import proxied  # noqa: PLC0415 -- as above

    with s3_server() as server, proxied(server.endpoint_url) as proxy:
        server.client().create_bucket(Bucket="bench")
        server.client().upload_file(str(source), "bench", "export.csv")
        yield proxy, {**clean_env(), **server.env, "S3_ENDPOINT_URL": server.endpoint_url}
