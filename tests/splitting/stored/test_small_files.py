"""Small chunks that the kernel reads, many at a call: whatever is wrong with them, the answer is that of one by one."""

from __future__ import annotations

import io
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.api.places import OpenPlace, StoredRequest, open_place
from splitjoin_cli.core.errors import SplitjoinError, UsageError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.places import parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.stored.batches import BATCH_BYTES, BATCH_COUNT, batches
from splitjoin_cli.splitting.stored.merge import FileTarget, StreamTarget, Target, merge
from splitjoin_cli.splitting.stored.verify import verify
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.small_files import SmallFiles
from tests.laws import examples
from tests.splitting.places import FILE_NAME, MemoryPlace, stored_split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from splitjoin_cli.core.model import ChunkState
    from splitjoin_cli.stores.sources.base import Source

HEADER = b"id,note\n"
DIALECTS = [
    Dialect(line_end="\n"),
    Dialect(stray_quote="literal"),
    Dialect(stray_quote="mysql"),
    Dialect(escapechar="\\"),
    Dialect(quotechar=None),
    Dialect(delimiter="||"),
    Dialect(skip_blank_lines=True),
]
RECORDS = st.lists(
    st.sampled_from([b"1,a\n", b"2,b\r\n", b'3,"c\n""d"""\n', b"\n", b'4,"5" disk"\n', b"5,e\\\n", b"6,f\rg\n"]),
    max_size=4,
)


@st.composite
def damages(draw: st.DrawFn) -> Callable[[Path, Sequence[str]], None]:
    """What may happen to one of the files; or to none."""
    kind = draw(
        st.sampled_from(["none", "gone", "cut", "more", "flip", "head", "folder", "link", "extra", "dangling", "loop"])
    )
    which, at = draw(st.integers(0, 99)), draw(st.integers(0, 99))

    def damage(place: Path, found: Sequence[str]) -> None:
        path = place / found[which % len(found)]
        data = path.read_bytes()
        at_byte = at % max(len(data), 1)
        if kind in {"gone", "folder", "link", "dangling", "loop"}:
            path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.with_name("elsewhere").write_bytes(data)
            path.symlink_to("elsewhere")
        elif kind in {"dangling", "loop"}:
            path.symlink_to("nowhere" if kind == "dangling" else path.name)
        elif kind == "extra":
            path.with_name(f"{FILE_NAME}-{which}-7.csv").write_bytes(data)
            path.with_name(f"{FILE_NAME}-00{which}-{len(found)}.csv").write_bytes(data)
            path.with_name(f"{FILE_NAME}-x_1-1-1.csv").write_bytes(data)
        elif kind in {"cut", "more", "flip", "head"}:
            changed = {
                "cut": data[:at_byte],
                "more": data + b"7,h\n",
                "flip": data[:at_byte] + b"\n" + data[at_byte + 1 :],
                "head": b"ID" + data[2:],
            }
            path.write_bytes(changed[kind])

    return damage


@contextmanager
def opened(
    split: MemoryPlace, damage: Callable[[Path, Sequence[str]], None] = lambda _place, _found: None
) -> Iterator[OpenPlace]:
    """A split in a directory, as a command opens it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, data in split.objects.items():
            (place / name).write_bytes(data)
        damage(place, sorted(name for name in split.objects if name.endswith(".csv")))
        request = StoredRequest(place=parse_place(folder), file_name=None, jobs=2)
        with open_place(request) as open_one:
            assert isinstance(open_one.files, SmallFiles)
            yield open_one


def answer(call: Callable[[], object]) -> object:
    """What it returns, or how it fails."""
    try:
        return call()
    except SplitjoinError as exc:
        return type(exc), exc.message, exc.hint


def verified(place: OpenPlace, files: SmallFiles | None, source: Source | None) -> object:
    """The report of two threads, or the error."""
    with ThreadPoolExecutor(2) as executor:
        return answer(
            lambda: verify(place.sink, place.open_chunk, executor=executor, jobs=2, source=source, files=files)
        )


def merged(place: OpenPlace, files: SmallFiles | None, target: Target) -> object:
    """The same of a merge."""
    with ThreadPoolExecutor(2) as executor:
        return answer(lambda: merge(place.sink, place.open_chunk, target, executor=executor, jobs=2, files=files))


@examples(25)
@given(
    st.lists(RECORDS, min_size=2, max_size=9),
    st.sampled_from(DIALECTS),
    st.booleans(),
    damages(),
    st.booleans(),
    st.data(),
)
def test_verify_says_the_same(
    chunks: list[list[bytes]],
    dialect: Dialect,
    counted: bool,  # noqa: FBT001 -- drawn
    damage: Callable[[Path, Sequence[str]], None],
    with_source: bool,  # noqa: FBT001 -- drawn
    data: st.DataObject,
) -> None:
    """Right and damaged sets of any dialect, with a source and without, one with another byte, too."""
    header = data.draw(st.sampled_from([HEADER, b""]))
    split = stored_split(header, chunks, dialect=dialect, counted=counted)
    body = b"".join(b"".join(records) for records in chunks)
    with opened(split, damage) as place, tempfile.NamedTemporaryFile() as export:
        export.write(header + body.replace(b"b", data.draw(st.sampled_from([b"b", b"B", b""]))))
        export.flush()
        source = LocalSource(export.name) if with_source else None
        assert verified(place, place.files, source) == verified(place, None, source)


@examples(25)
@given(st.lists(RECORDS, min_size=1, max_size=9), damages(), st.booleans(), st.booleans())
def test_merge_gives_the_same(
    chunks: list[list[bytes]],
    damage: Callable[[Path, Sequence[str]], None],
    stream: bool,  # noqa: FBT001 -- drawn
    manifest: bool,  # noqa: FBT001 -- drawn
) -> None:
    """The same bytes or the same error, into a file or a stream, with a manifest or by the names alone."""
    split = stored_split(HEADER, chunks)
    if not manifest:
        del split.objects[f"{FILE_NAME}.manifest.json"]
    with opened(split, damage) as place, tempfile.TemporaryDirectory() as folder:
        found = []
        for files in (place.files, None):
            out, path = io.BytesIO(), Path(folder, "out.csv")
            path.unlink(missing_ok=True)
            target: Target = StreamTarget(cast("io.RawIOBase", out)) if stream else FileTarget(path, force=False)
            result = merged(place, files, target)
            data = out.getvalue() if stream else path.read_bytes() if path.exists() else None
            found.append((result, data))
        assert found[0] == found[1]


class Counting(Silent):
    """Counts what it hears."""

    def __init__(self) -> None:
        self.size, self.chunks = 0, set[int]()

    def advance(self, size: int) -> None:
        self.size += size

    def chunk_done(self, number: int, state: ChunkState) -> None:  # noqa: ARG002 -- Observer's
        assert number not in self.chunks
        self.chunks.add(number)

    def chunks_done(self, numbers: Sequence[int], state: ChunkState) -> None:
        for number in numbers:
            self.chunk_done(number, state)


def test_the_kernel_reads_nearly_all_and_all_are_counted() -> None:
    """Of 300 chunks four are opened one by one: three before the others, and the last; and one that has an error."""
    split = stored_split(HEADER, [[b"1,a\n"]] * 300)

    def damage(place: Path, found: Sequence[str]) -> None:
        (place / found[120]).write_bytes(HEADER + b"1,b\n")

    with opened(split, damage) as place, ThreadPoolExecutor(2) as executor:
        alone: list[str] = []

        def open_chunk(name: str) -> Source:
            alone.append(name)
            return place.open_chunk(name)

        heard = Counting()
        report = verify(place.sink, open_chunk, executor=executor, jobs=2, files=place.files, observer=heard)
        assert [(problem.number, problem.kind) for problem in report.problems] == [(121, "checksum")]
        assert report.rows == 300
        assert (heard.size, len(heard.chunks)) == (300 * 12, 300)
        assert sorted(alone) == [f"{FILE_NAME}-{number:03}-300.csv" for number in (1, 2, 3, 121, 300)]


def test_a_damaged_first_header_does_not_make_the_others_slow() -> None:
    """What most of the first three begin with is looked for in the rest."""
    split = stored_split(HEADER, [[b"1,a\n"]] * 50)

    def damage(place: Path, found: Sequence[str]) -> None:
        (place / found[0]).write_bytes(b"ID,note\n1,a\n")

    with opened(split, damage) as place:
        alone = []

        def open_chunk(name: str) -> Source:
            alone.append(name)
            return place.open_chunk(name)

        with ThreadPoolExecutor(2) as executor:
            report = verify(place.sink, open_chunk, executor=executor, jobs=2, files=place.files)
        assert [(problem.number, problem.kind) for problem in report.problems] == [(1, "checksum"), (1, "header")]
        assert len(alone) == 4


def test_the_job_is_found_among_many_names() -> None:
    """One name stands for all chunks of a set; several jobs are listed, folders and links to nowhere are none."""

    def beside(place: Path, found: Sequence[str]) -> None:  # noqa: ARG001 -- as damages
        (place / "beta_2-1-1.csv").mkdir()
        (place / "gamma_3.manifest.json").symlink_to("nowhere")
        (place / "delta_4.manifest.json").symlink_to("delta_4.manifest.json")

    def another(place: Path, found: Sequence[str]) -> None:  # noqa: ARG001 -- as damages
        (place / "beta_2.manifest.json").write_bytes(b"")

    split = stored_split(HEADER, [[b"1,a\n"]] * 12)
    with opened(split, beside) as place:
        assert verified(place, place.files, None) == verified(place, None, None)
        assert getattr(verified(place, place.files, None), "ok", None) is True
    with opened(split, another) as place:
        kind, message, _ = cast("tuple[type, str, str]", verified(place, place.files, None))
        assert kind is UsageError
        assert message.endswith(f": {FILE_NAME}, beta_2")


@examples(30)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2 * BATCH_BYTES)), max_size=30))
def test_batches_are_neighbours_of_bounded_size(steps: list[tuple[int, int]]) -> None:
    """All numbers, in order, each once; a large one is alone."""
    sizes: dict[int, int] = {}
    number = 0
    for step, size in steps:
        number += step
        sizes[number] = size
    runs = list(batches(sizes, sizes.__getitem__))
    assert [number for run in runs for number in run] == list(sizes)
    for run in runs:
        assert len(run) == 1 or sum(sizes[number] for number in run) <= BATCH_BYTES
        assert len(run) == 1 or max(sizes[number] for number in run) < BATCH_BYTES
    assert [len(run) for run in batches(range(1, 2 * BATCH_COUNT), lambda _: 0)] == [BATCH_COUNT, BATCH_COUNT - 1]
