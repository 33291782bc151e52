"""The split function's handler: what it refuses, and what it logs."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import EventError
from splitjoin_cli.core.model import ByteRange, Dialect, StoredObject
from splitjoin_cli.deploy import split_handler
from splitjoin_cli.deploy.json_logs import JsonFormatter
from splitjoin_cli.deploy.split_handler import SplitFunction
from splitjoin_cli.splitting.engines.base import Failed, MergeUnit, PartSpec, ScanUnit, Stored, StoreUnit, VerifyUnit
from splitjoin_cli.splitting.engines.invocation import unit_event
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.specs import ChunkSpec, HeaderSpec, Reach, SinkSpec, SourceSpec, StoredSpec
from splitjoin_cli.splitting.engines.wire import answer_of, release, unit_text
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.stored.judge import ChunkFacts, SetFacts
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.stores.sources.memory import MemorySource

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.splitting.engines.base import Answer, Unit
    from splitjoin_cli.splitting.engines.place import OpenStored

DATA = b"id,name\n1,a\n2,b\n"
PROPERTIES = MemorySource(DATA).properties
UNIT = ScanUnit(
    version=release(),
    source=SourceSpec("s3://exports/a.csv", PROPERTIES.validator, len(DATA), Reach()),
    number=7,
    range=ByteRange(8, len(DATA)),
    alphabet=Alphabet.of(Dialect()),
    expected=1,
    strict=False,
    letters=b"",
    encoding=None,
    header=None,
)


FACTS = SetFacts("acme_20240131", "run", 1, Dialect(), None, 1, 8, is_empty=False)
CHUNK = ChunkFacts(1, 8, 16, 2, 0, 8, 16, mended=False, size=16)
VERIFY = VerifyUnit(release(), StoredSpec("s3://chunks/", Reach()), None, FACTS, (CHUNK,))


def nothing(_: StoredSpec) -> OpenStored:
    """A place that is open, and never asked."""
    return cast("OpenStored", SimpleNamespace(place=None, close=lambda: None))


def answered(function: SplitFunction, unit: Unit) -> Answer:
    """What an invocation gives."""
    text = unit_text(unit)
    answer = function(json.loads(unit_event(text)))
    assert isinstance(answer, str)
    return answer_of(answer, text)


@pytest.mark.parametrize("uri", ["/etc/passwd", "/proc/self/environ", "file:///etc/passwd", "/var/x://../passwd"])
def test_it_reads_no_file_of_its_own(uri: str) -> None:
    """Nor does it look whether it is there: neither a source nor stored chunks."""
    function = SplitFunction(Place(worker="the function splits", takes_paths=False))
    place = StoredSpec(uri, Reach())
    for unit in (replace(UNIT, source=replace(UNIT.source, uri=uri)), replace(VERIFY, place=place)):
        found = answered(function, unit)
        assert isinstance(found, Failed)
        assert (found.code, found.again) == ("AccessError", False)
        assert found.message == f"the split function reads s3:// and http(s)://, writes s3://, and takes no path: {uri}"
        assert found.hint == "workers use their own credentials: this is the function splits"


def test_it_writes_no_file_of_its_own(tmp_path: Path) -> None:
    """Neither as a chunk nor as a part of a merged file, and it makes no directory."""
    function = SplitFunction(Place(takes_paths=False, opens_source=lambda _: MemorySource(DATA), opens_stored=nothing))
    header = HeaderSpec(0, 8, crc64(DATA[:8]))
    out = SinkSpec(f"{tmp_path}/x://y/", Reach(), ObjectOptions())
    chunk = ChunkSpec("a-1-1.csv", 1, 8, len(DATA), None, None, ABSENT)
    store = StoreUnit(release(), UNIT.source, out, header, (chunk,), None, copies=False)
    own = tmp_path / "own"
    own.write_bytes(b"kept")
    part = PartSpec(None, str(own), "", 1, 0)
    merge = MergeUnit(release(), StoredSpec("s3://chunks/", Reach()), None, header, 1, (), 0, part)
    for unit in (store, merge):
        found = answered(function, unit)
        assert isinstance(found, Failed)
        assert found.code == "AccessError"
    assert own.read_bytes() == b"kept"
    assert list(tmp_path.iterdir()) == [own]


def test_whether_it_takes_paths_is_settled_where_lambda_starts_it() -> None:
    """The function that Lambda's entry point makes takes none."""
    found = answered(split_handler._made()[1], replace(UNIT, source=replace(UNIT.source, uri="/etc/passwd")))
    assert isinstance(found, Failed)
    assert found.code == "AccessError"


def test_each_unit_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """As JSON: what, which chunk, how it ended, how long it took."""
    caplog.set_level(logging.INFO, "splitjoin_cli")
    function = SplitFunction(Place(lambda _: MemorySource(DATA)))
    answered(function, UNIT)
    answered(function, replace(UNIT, source=replace(UNIT.source, size=1)))
    done, failed = (json.loads(JsonFormatter().format(record)) for record in caplog.records)
    assert (done["message"], done["chunk"]) == ("s3://exports/a.csv: scanned chunk 7, 8 bytes", 7)
    assert (done["level"], done["outcome"]) == ("INFO", "scanned")
    assert done["seconds"] >= 0
    assert (failed["level"], failed["outcome"]) == ("ERROR", "failed")
    assert failed["error"]["type"] == "SourceChangedError"
    assert "another file here" in failed["error"]["message"]


def test_a_chunk_that_failed_among_others_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The first one; the command hears of each."""
    caplog.set_level(logging.INFO, "splitjoin_cli")
    function = SplitFunction(Place(lambda _: MemorySource(DATA), lambda _: MemorySink(MemoryStore())))
    cuts = ((1, 8, 12, None), (2, 12, 16, 7))
    chunks = tuple(ChunkSpec(f"a-{n}-2.csv", n, start, end, crc, None, ABSENT) for n, start, end, crc in cuts)
    sink, header = SinkSpec("s3://chunks/", Reach(), ObjectOptions()), HeaderSpec(0, 8, crc64(DATA[:8]))
    unit = StoreUnit(release(), UNIT.source, sink, header, chunks, None, copies=False)
    found = answered(function, unit)
    assert isinstance(found, Stored)
    assert [type(chunk) for chunk in found.chunks] == [StoredObject, Failed]
    (line,) = (json.loads(JsonFormatter().format(record)) for record in caplog.records)
    assert (line["level"], line["outcome"], line["error"]["type"]) == ("ERROR", "failed", "CorruptObjectError")


def test_what_is_no_unit_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    """And its answer says why."""
    function = SplitFunction(Place(lambda _: MemorySource(DATA), worker="the function splits"))
    answer: Any = function({"splitjoin": "unit", "unit": json.dumps({"version": "0.0.1"})})
    said = json.loads(answer)
    assert said["message"] == f"the function splits has splitjoin {release()}, and this command is splitjoin 0.0.1"
    answer = function({"splitjoin": "unit", "unit": "[]"})
    assert json.loads(answer)["message"].startswith("the function splits cannot read its unit: ")
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


@pytest.mark.parametrize(
    "changed",
    [
        {"alphabet": [7]},
        {"alphabet": {}},
        {"range": [1]},
        {"range": {"start": "a", "end": None}},
        {"header": 7},
        {"source": "s3://exports/a.csv"},
        {"unit": []},
        {"unit": "verify", "place": {"uri": "s3://chunks/", "reach": []}, "facts": [], "chunks": []},
        {"unknown": 1},
    ],
)
def test_a_unit_of_wrong_types_is_answered_and_logged(
    changed: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with it: an error of the function itself would be sent again."""
    function = SplitFunction(Place(lambda _: MemorySource(DATA)))
    answer = function({"splitjoin": "unit", "unit": json.dumps(json.loads(unit_text(UNIT)) | changed)})
    assert isinstance(answer, str)
    assert json.loads(answer)["answer"] == "Failed"
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_unit_of_no_chunks_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The line in the log names the first chunk where there is one."""
    caplog.set_level(logging.INFO, "splitjoin_cli")
    answered(SplitFunction(Place(takes_paths=False)), replace(VERIFY, place=StoredSpec("/", Reach()), chunks=()))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("event", [None, [], "unit", 7, {}, {"splitjoin": "unit"}, {"splitjoin": "unit", "unit": {}}])
def test_an_event_of_another_kind_is_refused(event: object) -> None:
    """By its own error, which the command tells from a unit that failed."""
    with pytest.raises(EventError, match="not an event of splitjoin split --engine lambda:"):
        SplitFunction(Place())(event)
