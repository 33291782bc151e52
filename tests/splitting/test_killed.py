"""L7: killed before or after any single I/O, a split that is run again leaves what one undisturbed run leaves."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from splitjoin_cli.core.errors import NameTakenError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.native import kernel
from splitjoin_cli.splitting import send
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.stores.sinks import directory, directory_batches
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.seldom import seldom
from tests.splitting.runs import (
    MANIFEST,
    PLAN,
    Fate,
    Killed,
    MortalSink,
    TwoPass,
    blocks_of,
    chunks,
    objects,
    request,
    split,
    stream_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.stores.sources.base import Source

HEADER = b"id,name\n"
EXPORT = HEADER + b"".join(b'%d,"na\nme %d"\n' % (number, number) for number in range(7))
OTHER = EXPORT.replace(b"na\nme", b"NA\nME")
BOTH = re.compile(
    r"memory:///acme_20240131 holds an? (un)?finished split of memory:source\.csv \(run [0-9a-f]{32}, 4 chunks\); "
    r"this is a split of memory:source\.csv \(run [0-9a-f]{32}\); "
    r"what differs: content \([0-9]+ bytes(, other ones| there, [0-9]+ here)\)(; its other options are not recorded)?"
)
THIRD = EXPORT.replace(b"na\nme", b"NA\nme")


@dataclass(frozen=True)
class Case:
    """A split that is killed, and resumed with the same options but ``jobs``; ``before``: what was split there."""

    kind: type[MemorySink]
    options: dict[str, Any] = field(default_factory=dict)
    open_source: Callable[[bytes], Source] = MemorySource
    before: tuple[bytes, ...] = ()
    before_options: dict[str, Any] = field(default_factory=dict)
    block_bytes: int = 32

    def prepared(self) -> MemoryStore:
        """A place with the splits on it that came before, each having replaced the last."""
        store = MemoryStore()
        for number, data in enumerate(self.before):
            split(data, self.kind(store), request(**(self.before_options | {"force": number > 0})))
        return store

    def run(self, sink: MemorySink | MortalSink, *, jobs: int) -> None:
        """The split itself."""
        with blocks_of(self.block_bytes):
            split(self.open_source(EXPORT), sink, request(**(self.options | {"jobs": jobs})))


CASES = {
    "one pass": Case(MemorySink),
    "one pass, large chunks": Case(MemorySink, {"size": ChunkSize(70)}),
    "one pass, chunks side by side": Case(MemorySink, {"size": ChunkSize(40)}, block_bytes=16),
    "two passes": Case(TwoPass),
    "count": Case(TwoPass, {"size": ChunkCount(3)}),
    "gzip": Case(MemorySink, {"compress": "gzip"}),
    "zstd": Case(TwoPass, {"compress": "zstd"}),
    "stream": Case(MemorySink, open_source=stream_of),
    "stream, two passes": Case(TwoPass, open_source=stream_of),
    "stream, gzip": Case(TwoPass, {"compress": "gzip"}, stream_of),
    "force": Case(MemorySink, {"force": True}, before=(OTHER,)),
    "force, same sizes": Case(TwoPass, {"force": True}, before=(OTHER, THIRD)),
    "force, more chunks before": Case(
        TwoPass, {"force": True}, before=(OTHER, THIRD), before_options={"size": RowCount(1)}
    ),
    "force, gzip": Case(
        TwoPass, {"force": True, "compress": "gzip"}, before=(OTHER,), before_options={"compress": "gzip"}
    ),
    "force, stream": Case(TwoPass, {"force": True}, stream_of, before=(OTHER, THIRD, OTHER)),
    "force with nothing there": Case(TwoPass, {"force": True}),
}


def killed_somewhere(case: Case, *, jobs: int) -> Iterator[tuple[str, MemoryStore]]:
    """What a split leaves that is killed at its first I/O, its second, ..., before it and after it."""
    at = 0
    while True:
        survived = 0
        for after in (False, True):
            store = case.prepared()
            fate = Fate(at, after)
            try:
                case.run(MortalSink(case.kind(store), fate), jobs=jobs)
                survived += 1
            except Killed:
                yield f"killed {'after' if after else 'before'} I/O {at}", store
        if survived == 2:
            return
        at += 1


@pytest.mark.parametrize(("jobs", "resuming_jobs"), [(1, 4), (3, 1)])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_killed_split_resumes_to_the_same_objects(case: Case, jobs: int, resuming_jobs: int) -> None:
    """Bytes, metadata and manifest; no plan, no chunk of the run before, nothing open."""
    undisturbed = case.prepared()
    case.run(case.kind(undisturbed), jobs=jobs)
    assert Manifest.from_bytes(undisturbed.objects[MANIFEST].data).generation == len(case.before) + 1
    for moment, store in killed_somewhere(case, jobs=jobs):
        case.run(case.kind(store), jobs=resuming_jobs)
        assert objects(store) == objects(undisturbed), moment
        assert store.unfinished == {}, moment
    assert PLAN not in undisturbed.objects
    assert HEADER + b"".join(chunk.removeprefix(HEADER) for chunk in chunks(undisturbed).values()) == EXPORT


@pytest.mark.parametrize("kind", [MemorySink, TwoPass])
def test_twice_killed_is_no_worse(kind: type[MemorySink]) -> None:
    """The second run is killed, too, wherever the first was."""
    case = Case(kind, {"force": True}, before=(OTHER, THIRD))
    undisturbed = case.prepared()
    case.run(kind(undisturbed), jobs=2)
    for first in range(3, 40, 4):
        for second in range(2, 40, 5):
            store = case.prepared()
            for at in (first, second):
                with suppress(Killed):
                    case.run(MortalSink(kind(store), Fate(at, after=at % 2 == 0)), jobs=2)
            case.run(kind(store), jobs=1)
            assert objects(store) == objects(undisturbed), (first, second)
            assert store.unfinished == {}, (first, second)


@pytest.mark.parametrize("kind", [MemorySink, TwoPass])
def test_what_another_export_finds_is_taken_or_free(kind: type[MemorySink]) -> None:
    """The source changed between kill and next run: free while nothing was claimed, then exit 11; --force replaces."""
    case, longer = Case(kind), OTHER + b"8,more\n"
    undisturbed = MemoryStore()
    split(longer, kind(undisturbed), request())
    taken = 0
    for moment, store in killed_somewhere(case, jobs=2):
        if PLAN in store.objects or MANIFEST in store.objects:
            taken += 1
            left = objects(store)
            with pytest.raises(NameTakenError) as error:
                split(longer, kind(store), request())
            assert BOTH.fullmatch(error.value.message), moment
            assert error.value.hint == "--force replaces it; or choose another --client, --date or destination"
            assert objects(store) == left, moment
            split(longer, kind(store), request(force=True))
        else:
            split(longer, kind(store), request())
        assert chunks(store) == chunks(undisturbed), moment
        assert PLAN not in store.objects, moment
        assert store.unfinished == {}, moment
    assert taken > 5


SYSTEM_CALLS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.scandir", "fcntl.flock"}


def split_file(source: Path, place: Path, options: dict[str, Any]) -> None:
    """One split into a directory, in this process."""
    with blocks_of(32):
        split(LocalSource(str(source)), DirectorySink(place), request(**options))


def split_small(source: Path, place: Path, options: dict[str, Any]) -> None:
    """The same with many chunks in a block, which the kernel writes and names two at a call."""
    with mock.patch.object(directory_batches, "AT_ONCE", 2), mock.patch.object(send, "AT_ONCE", 3), blocks_of(4096):
        split(LocalSource(str(source)), DirectorySink(place), request(size=RowCount(1), **options))


class Steps:
    """The kernel's functions; ``step`` comes before each that writes or names files, which no audit hook hears of."""

    def __init__(self, functions: Any, step: Callable[[], None]) -> None:  # noqa: ANN401 -- a library of C
        self._functions, self._step = functions, step

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- the same
        if name in {"sj_stage", "sj_publish"}:
            self._step()
        return getattr(self._functions, name)


def split_file_and_die(source: Path, place: Path, options: dict[str, Any], at: int, *, small: bool = False) -> None:
    """One of both, and SIGKILL to itself right before the ``at``-th call that touches the directory."""
    lock, calls = threading.Lock(), 0

    def step() -> None:
        nonlocal calls
        with lock:
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in SYSTEM_CALLS:
            return
        target = arguments[0]  # a lock, or a name in an open folder, where it is no absolute path
        if isinstance(target, str | Path) and Path(target).is_absolute() and not Path(target).is_relative_to(place):
            return
        step()

    sys.addaudithook(hook)
    compiled = kernel()
    assert compiled is not None
    native = SimpleNamespace(functions=Steps(compiled.functions, step))
    with mock.patch.object(directory, "kernel", return_value=native):
        (split_small if small else split_file)(source, place, options)


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.splitting.test_killed"])


def content(place: Path) -> dict[str, bytes]:
    """Every file in a directory, hidden folders too."""
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("options", "before", "small"),
    [
        ({}, {}, False),
        ({"compress": "gzip"}, {}, False),
        ({"force": True}, {"size": RowCount(2)}, False),
        seldom({"force": True, "compress": "zstd"}, {"compress": "zstd"}, False),
        ({}, {}, True),
    ],
    ids=["fresh", "gzip", "force", "force, zstd", "many small chunks"],
)
def test_a_split_into_a_directory_survives_sigkill(
    options: dict[str, Any],
    before: dict[str, Any],
    small: bool,  # noqa: FBT001 -- a parameter
    tmp_path: Path,
) -> None:
    """A real process, killed before each of its system calls in turn: the next run leaves the same files, no folder."""
    source, old = tmp_path / "acme.csv", tmp_path / "old.csv"
    source.write_bytes(EXPORT)
    old.write_bytes(OTHER)  # the same sizes: only the content tells its chunks from the new ones

    def prepared(name: str) -> Path:
        place = tmp_path / name
        if before:
            split_file(old, place, before)
        return place

    run = split_small if small else split_file
    undisturbed = prepared("undisturbed")
    run(source, undisturbed, options)
    code: int | None = None
    at = 0
    while code != 0:
        place = prepared(f"killed-{at}")
        child = FORKS.Process(target=split_file_and_die, args=(source, place, options, at), kwargs={"small": small})
        child.start()
        child.join(60)
        code = child.exitcode
        assert code in (0, -signal.SIGKILL), at
        run(source, place, options | {"jobs": 1})
        assert content(place) == content(undisturbed), at
        assert [path.name for path in place.iterdir() if path.is_dir()] == [], at
        at += 1
    assert at > 20
