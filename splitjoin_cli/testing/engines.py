"""The contract of an engine, as a suite of tests: each sentence of splitjoin_cli/splitting/engines/base.py, tried.

An engine of your own is held to it by a class that opens one, whose workers reach the paths of this machine:

    class TestSlurm(EngineContract):
        @pytest.fixture
        def engine(self):
            engine = SlurmEngine(...)
            yield engine
            engine.close()
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import EngineError
from splitjoin_cli.core.model import ByteRange, Dialect, StoredObject
from splitjoin_cli.splitting.engines.base import (
    CutUnit,
    Failed,
    Merged,
    MergeUnit,
    PartSpec,
    Pieces,
    Scanned,
    ScanUnit,
    Stored,
    StoreUnit,
    Verified,
    VerifyUnit,
)
from splitjoin_cli.splitting.engines.specs import ChunkSpec, HeaderSpec, Reach, SinkSpec, SourceSpec, StoredSpec
from splitjoin_cli.splitting.engines.wire import OtherReleaseError, answer_of, release, unit_text
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.targets import Targets
from splitjoin_cli.splitting.stored.bodies import BodyFacts
from splitjoin_cli.splitting.stored.judge import ChunkFacts, Judged, SetFacts
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sources.local import LocalSource

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.splitting.engines.base import Answer, Engine, Unit

__all__ = ["ANSWER_SECONDS", "EngineContract"]

HEADER = b"id,name\n"
NAME = "acme_20240131-1-1.csv"
BODY = b"".join(b'%d,"na\nme %d"\n' % (number, number) for number in range(500))
ANSWER_SECONDS = 120
"""What a busy machine may take; a test that passes never waits for it."""


class EngineContract:
    """Every engine: ``engine`` is a fixture of the subclass, which closes it afterwards."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> SourceSpec:
        """A file that all workers see."""
        path = tmp_path / "acme.csv"
        path.write_bytes(HEADER + BODY)
        opened = LocalSource(str(path))
        opened.close()
        return SourceSpec(str(path), opened.properties.validator, len(HEADER + BODY), Reach())

    @pytest.fixture
    def scan(self, source: SourceSpec) -> ScanUnit:
        """Of the whole body."""
        return ScanUnit(
            version=release(),
            source=source,
            number=1,
            range=ByteRange(len(HEADER), len(HEADER + BODY)),
            alphabet=Alphabet.of(Dialect()),
            expected=1,
            strict=True,
            letters=b"",
            encoding="utf-8",
            header=HeaderSpec(0, len(HEADER), crc64(HEADER)),
        )

    @pytest.fixture
    def store(self, source: SourceSpec, tmp_path: Path) -> StoreUnit:
        """Of the whole body, as one chunk."""
        return StoreUnit(
            version=release(),
            source=source,
            sink=SinkSpec(str(tmp_path / "out"), Reach(), ObjectOptions()),
            header=HeaderSpec(0, len(HEADER), crc64(HEADER)),
            chunks=(ChunkSpec(NAME, 1, len(HEADER), len(HEADER + BODY), crc64(HEADER + BODY), None, ABSENT),),
            compression=None,
            copies=False,
        )

    def test_a_range_is_scanned(self, engine: Engine, scan: ScanUnit) -> None:
        """Records, checksum and the last record's end are those of the bytes; again they are the same."""
        answer = _run(engine, scan)
        assert isinstance(answer, Scanned)
        assert answer.outcome is not None
        assert (answer.outcome.records, answer.outcome.last_end, answer.crc) == (500, len(BODY), crc64(BODY))
        assert _run(engine, scan) == answer

    def test_many_units_at_once_are_answered_each(self, engine: Engine, scan: ScanUnit) -> None:
        """Whatever their order: no two of them share a scanner, and each answer is its own unit's."""
        ends = [end + 1 for end, byte in enumerate(HEADER + BODY) if byte == HEADER[-1]][2::2]
        units = [replace(scan, number=n, range=ByteRange(len(HEADER), end)) for n, end in enumerate(ends[:40], 1)]
        futures = [(unit, engine.submit(unit_text(unit))) for unit in units]
        for unit, future in futures:
            answer = answer_of(future.result(ANSWER_SECONDS), unit_text(unit))
            assert isinstance(answer, Scanned)
            assert answer.outcome is not None
            body = (HEADER + BODY)[unit.range.start : unit.range.end]
            assert (answer.outcome.records, answer.crc) == (unit.number, crc64(body))

    def test_small_chunks_are_found_in_a_range(self, engine: Engine, scan: ScanUnit) -> None:
        """Where chunks of a size, or of so many rows, or so many chunks, end in it, and what they hold."""
        answer = _run(engine, replace(scan, capacity=1000))
        assert isinstance(answer, Scanned)
        assert answer.stairs is not None
        cut = CutUnit(
            version=release(),
            source=scan.source,
            number=1,
            range=scan.range,
            alphabet=scan.alphabet,
            expected=1,
            rows=None,
            capacity=1000,
            before=0,
        )
        pieces = _run(engine, cut)
        assert isinstance(pieces, Pieces)
        assert pieces.ends[-1] == answer.stairs.last_cut(1000)
        assert (pieces.records, pieces.crc) == (500, crc64(BODY))
        first = BODY[: pieces.ends[0]]
        assert len(first) <= 1000 < len(first) + 20
        assert pieces.checksums[0] == crc64(first)
        rows = _run(engine, replace(cut, rows=60, capacity=None, before=20))
        assert isinstance(rows, Pieces)
        assert rows.rows == (40,) + (60,) * 7
        targets = Targets(0, len(BODY), 10)
        answer = _run(engine, replace(scan, targets=targets))
        assert isinstance(answer, Scanned)
        assert answer.lead is not None
        tenths = _run(engine, replace(cut, capacity=None, targets=targets, done=4, before=20))
        assert isinstance(tenths, Pieces)
        assert len(tenths.ends) == 9 - 4
        assert tenths.ends[-1] <= targets.place(9) < tenths.ends[-1] + 20
        assert sum(tenths.rows) <= 9 + answer.lead

    def test_what_breaks_the_rules_is_an_answer(self, engine: Engine, scan: ScanUnit) -> None:
        """Fields that are not as many as expected, where that is strict."""
        answer = _run(engine, replace(scan, expected=7))
        assert isinstance(answer, Scanned)
        assert answer.outcome is None

    def test_a_chunk_is_stored_once(self, engine: Engine, store: StoreUnit, tmp_path: Path) -> None:
        """The header, then the range. A second time its condition does not hold, and it is still the same file."""
        (stored,) = _stored(engine, store)
        assert isinstance(stored, StoredObject)
        assert (stored.size, stored.checksum) == (len(HEADER + BODY), crc64(HEADER + BODY))
        path = tmp_path / "out" / NAME
        inode = path.stat().st_ino
        (again,) = _stored(engine, store)
        assert isinstance(again, Failed)
        assert (again.code, again.fatal, again.again) == ("ObjectChangedError", False, False)
        assert path.read_bytes() == HEADER + BODY
        assert path.stat().st_ino == inode

    def test_chunks_of_a_unit_are_stored_one_by_one(self, engine: Engine, store: StoreUnit, tmp_path: Path) -> None:
        """One that is not as was scanned, or whose name is taken, keeps no other from being stored."""
        ends = [len(HEADER), *(len(HEADER) + BODY.index(b'%d,"' % number) for number in (100, 200, 300))]
        specs = [
            ChunkSpec(f"acme_20240131-{number}-3.csv", number, start, end, crc64(HEADER + BODY[start - 8 : end - 8]),
                      None, ABSENT)
            for number, (start, end) in enumerate(pairwise(ends), 1)
        ]  # fmt: skip
        first, garbled, last = specs[0], specs[1]._replace(checksum=1), specs[2]
        found = _stored(engine, replace(store, chunks=(first, garbled, last)))
        assert [one.name if isinstance(one, StoredObject) else one.code for one in found] == [
            first.name, "CorruptObjectError", last.name,
        ]  # fmt: skip
        again = _stored(engine, replace(store, chunks=tuple(specs)))
        assert [one.name if isinstance(one, StoredObject) else one.code for one in again] == [
            "ObjectChangedError", specs[1].name, "ObjectChangedError",
        ]  # fmt: skip
        bodies = [(tmp_path / "out" / spec.name).read_bytes().removeprefix(HEADER) for spec in specs]
        assert b"".join(bodies) == BODY[: ends[-1] - len(HEADER)]

    def test_stored_chunks_are_judged(self, engine: Engine, store: StoreUnit, tmp_path: Path) -> None:
        """Whole ones, ones that are other than was said, and ones that are not there; and the source beside them."""
        _stored(engine, store)
        facts = SetFacts("acme_20240131", "run", 1, Dialect(), None, 1, len(HEADER), is_empty=False)
        chunk = ChunkFacts(
            number=1,
            start=len(HEADER),
            end=len(HEADER + BODY),
            rows=500,
            checksum=store.chunks[0].checksum,
            body_bytes=len(BODY),
            stored_bytes=len(HEADER + BODY),
            mended=False,
            size=len(HEADER + BODY),
        )
        unit = VerifyUnit(release(), StoredSpec(str(tmp_path / "out"), Reach()), store.source, facts, (chunk,))
        assert _run(engine, unit) == Verified((Judged(1, crc64(HEADER), 500, ()),))
        other = chunk._replace(rows=7, checksum=1)
        answer = _run(engine, replace(unit, source=None, chunks=(chunk, other)))
        assert isinstance(answer, Verified)
        assert [problem.kind for problem in answer.chunks[1].problems] == ["rows", "checksum"]
        (tmp_path / "out" / NAME).unlink()
        answer = _run(engine, unit)
        assert isinstance(answer, Verified)
        assert [problem.kind for problem in answer.chunks[0].problems] == ["unreadable"]

    def test_chunks_are_merged_into_a_part(self, engine: Engine, store: StoreUnit, tmp_path: Path) -> None:
        """The header and the body, at their place of a file that is there; what is not as was said is no part."""
        _stored(engine, store)
        path = tmp_path / "merged"
        path.write_bytes(b"before")
        unit = MergeUnit(
            version=release(),
            place=StoredSpec(str(tmp_path / "out"), Reach()),
            compression=None,
            header=store.header,
            first=1,
            chunks=(BodyFacts(NAME, len(BODY), crc64(HEADER + BODY), in_manifest=True),),
            size=len(HEADER + BODY),
            part=PartSpec(None, str(path), "", 1, len(b"before")),
        )
        whole = crc64(HEADER + BODY)
        assert _run(engine, unit) == _run(engine, unit) == Merged(len(HEADER + BODY), whole, None)
        assert path.read_bytes() == b"before" + HEADER + BODY
        answer = _run(engine, replace(unit, header=HeaderSpec(0, len(HEADER), 1)))
        assert isinstance(answer, Failed)
        assert answer.message == f"{NAME} does not begin with the header of chunk 1"
        path.unlink()
        answer = _run(engine, unit)
        assert isinstance(answer, Failed)
        assert answer.message == f"cannot write {path}: No such file or directory"

    def test_other_bytes_than_were_scanned_are_never_stored(
        self, engine: Engine, store: StoreUnit, tmp_path: Path
    ) -> None:
        """The checksum decides."""
        (answer,) = _stored(engine, replace(store, chunks=(store.chunks[0]._replace(checksum=1),)))
        assert isinstance(answer, Failed)
        assert answer.code == "CorruptObjectError"
        assert not (tmp_path / "out" / NAME).exists()

    def test_another_source_than_was_planned_is_fatal(self, engine: Engine, scan: ScanUnit) -> None:
        """By its size, and by what tells versions apart."""
        for other in (replace(scan.source, size=7), replace(scan.source, validator="7:7")):
            answer = _run(engine, replace(scan, source=other))
            assert isinstance(answer, Failed)
            assert (answer.code, answer.fatal) == ("SourceChangedError", True)

    def test_a_missing_source_fails_the_unit(self, engine: Engine, scan: ScanUnit) -> None:
        """With the message that it has here."""
        answer = _run(engine, replace(scan, source=replace(scan.source, uri=f"{scan.source.uri}.gone")))
        assert isinstance(answer, Failed)
        assert answer.message == f"cannot read {scan.source.uri}.gone: no such file"

    def test_a_unit_of_another_release_is_not_run(self, engine: Engine, store: StoreUnit, tmp_path: Path) -> None:
        """And the answer says which release the worker has."""
        text = unit_text(replace(store, version="0.0.1"))
        fields: dict[str, Any] = json.loads(engine.submit(text).result(ANSWER_SECONDS))
        assert (fields["answer"], fields["fatal"], fields["version"]) == ("Failed", True, release())
        assert not (tmp_path / "out").exists()

    def test_an_answer_is_its_units(self, engine: Engine, scan: ScanUnit) -> None:
        """It cannot be taken for another's, nor for one of another release."""
        text = unit_text(scan)
        answer = engine.submit(text).result(ANSWER_SECONDS)
        with pytest.raises(ValueError, match="another unit"):
            answer_of(answer, unit_text(replace(scan, number=2)))
        with pytest.raises(OtherReleaseError):
            answer_of(json.dumps(json.loads(answer) | {"version": "0.0.1"}), text)

    def test_units_are_small(self, scan: ScanUnit, store: StoreUnit) -> None:
        """A header, however long, is named by its place."""
        assert max(len(unit_text(unit)) for unit in (scan, store)) < 1_000

    def test_it_wants_units_and_has_a_name(self, engine: Engine) -> None:
        """For as many as its workers can run, and more; and messages have words for these."""
        assert engine.in_flight >= 2
        assert engine.name
        assert all(engine.words)

    def test_what_is_answered_is_not_lost(self, engine: Engine, scan: ScanUnit) -> None:
        """As long as no worker dies."""
        assert isinstance(_run(engine, scan), Scanned)
        assert engine.lost_work is False

    def test_a_cancelled_unit_harms_nobody(self, engine: Engine, scan: ScanUnit) -> None:
        """Units after it are answered."""
        engine.cancel(engine.submit(unit_text(scan)))
        assert isinstance(_run(engine, scan), Scanned)

    def test_a_closed_engine_says_so(self, engine: Engine, scan: ScanUnit) -> None:
        """Closing is safe to repeat; a unit then is an error of the engine, not of the unit."""
        engine.close()
        engine.close()
        with pytest.raises(EngineError):
            engine.submit(unit_text(scan)).result(ANSWER_SECONDS)


def _stored(engine: Engine, unit: StoreUnit) -> tuple[StoredObject | Failed, ...]:
    answer = _run(engine, unit)
    assert isinstance(answer, Stored)
    return answer.chunks


def _run(engine: Engine, unit: Unit) -> Answer:
    text = unit_text(unit)
    return answer_of(engine.submit(text).result(ANSWER_SECONDS), text)
