"""A place to try one operation in: the installed command, a bucket, and a look at the bucket without the product."""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.e2e.command import Splitjoin
from tests.e2e.csvs import bulk, export
from tests.e2e.kills import end
from tools.stores.base import RefusedError, WrongError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.command import Ran
    from tests.servers.s3 import Bucket

__all__ = ["Desk", "Stored", "error_of"]

MIB = 1024 * 1024
LARGE_BYTES = 28 * MIB
SMALL_ROWS = 3000
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: its bytes as stored, and its metadata."""

    data: bytes
    metadata: dict[str, str]


@dataclass
class Desk:
    """A bucket to work in, and a directory. ``said``: the warnings of all commands so far; ``seen``: what happened.

    ``queue_url`` and ``queue_env``: of SQS, which is elsewhere.
    """

    bucket: Bucket
    directory: Path
    queue_url: str
    queue_env: dict[str, str]
    said: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Exports to split, small and large, and others of other content."""
        (self.directory / "acme.csv").write_bytes(self.small)
        (self.directory / "other.csv").write_bytes(self.other)
        (self.directory / "large.csv").write_bytes(self.large)
        (self.directory / "rival.csv").write_bytes(self.rival)
        (self.directory / "large.csv.gz").write_bytes(gzip.compress(self.large, 1))

    @cached_property
    def small(self) -> bytes:
        """Some ten kilobytes."""
        return export(SMALL_ROWS)

    @cached_property
    def other(self) -> bytes:
        """Another content, of another size."""
        return export(SMALL_ROWS + 500, seed=2)

    @cached_property
    def large(self) -> bytes:
        """LARGE_BYTES, about."""
        return bulk(LARGE_BYTES)

    @cached_property
    def rival(self) -> bytes:
        """Another large content."""
        return bulk(LARGE_BYTES * 2 // 3, seed=3)

    @property
    def command(self) -> Splitjoin:
        """The installed command, on this store."""
        return Splitjoin(self.directory, {**self.bucket.env, "AWS_MAX_ATTEMPTS": "3"})

    def split(self, source: str, prefix: str, *options: str, **env: str) -> dict[str, Any]:
        """The result of a split of acme_d that must be done."""
        return self.done(*self.splitting(source, prefix, *options), "--json", **env).document

    def splitting(self, source: str, prefix: str, *options: str) -> tuple[str, ...]:
        """Its command line."""
        return ("split", source, f"{self.bucket.uri}{prefix}", "--client", "acme", "--date", "d", *options)

    def done(self, *arguments: str, **env: str) -> Ran:
        """A run that must exit with 0. Raises RefusedError with what it said."""
        ran = self.run(*arguments, **env)
        if ran.code != 0:
            raise RefusedError(error_of(ran))
        return ran

    def run(self, *arguments: str, **env: str) -> Ran:
        """A run; its warnings are kept."""
        ran = self.command.within(**env)(*arguments)
        self.hear(ran.stderr)
        return ran

    def hear(self, stderr: str) -> None:
        """Keep the warnings, without what differs from run to run."""
        for line in stderr.splitlines():
            if line.startswith("Warning: "):
                self.said.append(self.plain(line.removeprefix("Warning: ")))

    def plain(self, text: str) -> str:
        """``text`` without the names of this run."""
        for pattern, word in (
            (re.escape(self.bucket.uri) + "([a-z0-9MiB-]+/)?", "s3://BUCKET/PREFIX/"),
            (r"acme_d-\d+-\d+\.csv(\.gz|\.zst)?", "CHUNK"),
            (r"run [0-9a-f]{32}", "run N"),
            (r"\.splitjoin-probe-[0-9a-f]+", ".splitjoin-probe-TOKEN"),
            (re.escape(self.bucket.name), "BUCKET"),
            (re.escape(str(self.directory)), ""),
            (r"https?://127\.0\.0\.1:\d+", "ENDPOINT"),
            (r"\b0-\d+\b", "0-N"),
            (r"\bsize \d+\b", "size N"),
        ):
            text = re.sub(pattern, word, text)
        return text

    def kill_after(self, objects: int, command: tuple[str, ...], prefix: str) -> None:
        """Begin a command, and kill it when so many chunks are stored. Raises WrongError where it ended before."""
        process = self.command.begin(*command)
        try:
            self.wait(lambda: process.poll() is not None or len(self.chunks(prefix)) >= objects)
        finally:
            process.kill()
            out, said = end(process)
        if process.returncode >= 0:
            raise RefusedError(self.plain((out + said).decode().strip().splitlines()[-1]))

    def wait(self, happened: Callable[[], object]) -> None:
        """Until it has happened."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happened():
            if time.monotonic() > deadline:
                raise RefusedError(f"nothing happened for {PATIENCE_SECONDS:g} s")
            time.sleep(0.05)

    def chunks(self, prefix: str) -> list[str]:
        """The names of the chunks under a prefix."""
        return [key for key in self.bucket.keys(prefix) if not key.endswith(".json")]

    def objects(self, prefix: str) -> dict[str, Stored]:
        """All objects under a prefix, by their names."""
        client, found = self.bucket.client(), {}
        for key in self.bucket.keys(prefix):
            got = client.get_object(Bucket=self.bucket.name, Key=key)
            found[key.removeprefix(prefix)] = Stored(got["Body"].read(), got["Metadata"])
        return found

    def hold(self, prefix: str, source: bytes, *, manifest: bool = True) -> dict[str, Stored]:
        """The objects, which must be one whole split of ``source`` and nothing else. Raises WrongError."""
        found = self.objects(prefix)
        if manifest and "acme_d.manifest.json" not in found:
            raise WrongError("no manifest is stored")
        names = [name for name in found if not name.endswith(".json")]
        if manifest:
            wanted = [chunk["name"] for chunk in json.loads(found["acme_d.manifest.json"].data)["chunks"]]
            if sorted(wanted) != sorted(names):
                raise WrongError(f"stored are {names}, and the manifest names {wanted}")
            names = wanted
        header, _, _ = source.partition(b"\n")
        bodies = [plain_bytes(name, found[name].data).removeprefix(header + b"\n") for name in names]
        if b"".join(bodies) != source.removeprefix(header + b"\n"):
            raise WrongError("the chunks' bytes are not those of the source")
        return found


def plain_bytes(name: str, data: bytes) -> bytes:
    """A chunk's bytes, decompressed by another library's reader of the whole."""
    if name.endswith(".gz"):
        return gzip.decompress(data)
    if name.endswith(".zst"):
        return bytes(zstd.decompress(data))
    return data


def error_of(ran: Ran) -> str:
    """What a command said of its failure."""
    if ran.stdout.startswith("{"):
        document = json.loads(ran.stdout)
        error = document.get("error") or {}
        chunks = [chunk["error"] for chunk in document.get("chunks", ()) if chunk.get("error")]
        return str(chunks[0] if chunks else error.get("message") or document)
    lines = [line for line in ran.stderr.splitlines() if line.startswith("Error: ")]
    return lines[0].removeprefix("Error: ") if lines else f"exit code {ran.code}"
