"""A directory with a hostile document in it, a neighbour that nothing may touch, and commands run on it."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from splitjoin_cli.api.open import LoadRequest, open_loader
from splitjoin_cli.cli.run import run
from splitjoin_cli.core.aws.options import AwsOptions
from splitjoin_cli.join.continuation import MemoryContinuation
from splitjoin_cli.join.events import ChunkArrived
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.worker import ChunkWorker
from splitjoin_cli.stores.chunks.directory import DirectoryChunks
from splitjoin_cli.stores.loaders import urls
from splitjoin_cli.stores.trackers.memory import MemoryTracker
from tests.hostile.documents import CHUNKS, HEADER, NAMES, SECRET, directory_objects
from tests.splitting.places import FILE_NAME, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = HEADER + b"".join(b"".join(chunk) for chunk in CHUNKS)
COMMANDS = {
    "verify": ["verify", "{place}"],
    "verify json": ["verify", "{place}", "--json"],
    "verify source": ["verify", "{place}", "--source", "{source}"],
    "merge": ["merge", "{place}", "{out}", "--force"],
    "merge json": ["merge", "{place}", "{out}", "--force", "--json"],
    "simulate": ["simulate", "{place}", "--workers", "1"],
    "simulate json": ["simulate", "{place}", "--workers", "1", "--json"],
    "split": ["split", "{source}", "{place}", "--client", "acme", "--date", "20240131", "--rows", "2"],
    "split json": ["split", "{source}", "{place}", "--client", "acme", "--date", "20240131", "--rows", "2", "--json"],
    "split force": [
        *("split", "{source}", "{place}", "--client", "acme", "--date", "20240131", "--rows", "2", "--force"),
    ],
}
CODES = {0, 1, 11}
"""Done, refused, or another split's name."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a command said."""

    code: int
    out: str
    err: str


class _Stdout(io.TextIOWrapper):
    """Standard output in memory."""

    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode("utf-8", "surrogateescape")


def said(arguments: list[str]) -> Heard:
    """Run a command in this process."""
    out, err = _Stdout(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return Heard(code, out.text(), err.getvalue())


@contextlib.contextmanager
def beside_a_neighbour(*, plan: bytes | None = None, manifest: bytes | None = None) -> Iterator[Path]:
    """``root/in`` has the chunks and the documents, ``root/other`` is the neighbour's."""
    with TemporaryDirectory() as made:
        root = Path(made)
        place, other = root / "in", root / "other"
        place.mkdir()
        other.mkdir()
        (root / "acme_20240131.csv").write_bytes(SOURCE)
        objects = directory_objects()
        for name in NAMES:
            (place / name).write_bytes(objects[name])
        for name in ("name_1-1-1.csv", "name_1.manifest.json"):
            (other / name).write_bytes(SECRET)
        if manifest is not None:
            (place / MANIFEST).write_bytes(manifest)
        if plan is not None:
            (place / f"{FILE_NAME}.plan.json").write_bytes(plan)
        yield root


def outside(root: Path) -> dict[str, bytes]:
    """What lies beside the place, with what is in it."""
    found = (path for path in root.rglob("*") if path.is_file() and path.parent != root / "in")
    return {str(path.relative_to(root)): path.read_bytes() for path in found if path.name != "out.csv"}


def check_command(root: Path, words: list[str]) -> Heard:
    """Run it: it succeeds or refuses, by name; it neither reads nor writes elsewhere; what it says can be shown."""
    before = outside(root)
    places = {"place": root / "in", "out": root / "out.csv", "source": root / "acme_20240131.csv"}
    heard = said([word.format(**places) for word in words])
    told = heard.out + heard.err
    assert heard.code in CODES, told
    assert "unexpected" not in told, told
    assert "secret" not in told
    assert not any(ord(char) < 0x20 and char not in "\n\t" for char in told), repr(told)
    assert not any(0x7F <= ord(char) < 0xA0 or char in "\u2028\u2029\u202e" for char in told), repr(told)
    assert outside(root) == before
    assert not (root / "out.csv").exists() or b"secret" not in (root / "out.csv").read_bytes()
    if "--json" in words:
        assert isinstance(json.loads(heard.out), dict)
    return heard


def check_worker(root: Path) -> None:
    """The worker's own code on each chunk: loaded, or an error of ours."""
    loader = open_loader(LoadRequest(into=urls.parse(f"sqlite:{root / 'in' / 'load.db'}"), table="t"), AwsOptions())
    tracker = MemoryTracker()
    joiner = Joiner(
        tracker=tracker, loader=loader, continuation=MemoryContinuation(), owner="w", lease_seconds=60.0,
        keep_lease=lambda _tracker, _claim, _seconds: contextlib.nullcontext(),
    )  # fmt: skip
    worker = ChunkWorker(chunks=DirectoryChunks(), loader=loader, tracker=tracker, joiner=joiner, sweep_runs=True)
    try:
        loader.prepare()
        for name in NAMES:
            outcome = worker.handle(ChunkArrived.at(str(root / "in" / name)))
            assert outcome.error is None or "unexpected" not in outcome.error.message, outcome.error
    finally:
        loader.close()
