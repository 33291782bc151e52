"""The split function's handler: what it refuses, and what it logs."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.model import ByteRange, Dialect
from splitjoin_cli.deploy import split_handler
from splitjoin_cli.deploy.json_logs import JsonFormatter
from splitjoin_cli.deploy.split_handler import SplitFunction
from splitjoin_cli.splitting.engines.base import Failed, Reach, ScanUnit, SourceSpec
from splitjoin_cli.splitting.engines.invocation import unit_event
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.wire import answer_of, release, unit_text
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.stores.sources.memory import MemorySource

if TYPE_CHECKING:
    from splitjoin_cli.splitting.engines.base import Answer

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


def answered(function: SplitFunction, unit: ScanUnit) -> Answer:
    """What an invocation gives."""
    text = unit_text(unit)
    answer = function(json.loads(unit_event(text)))
    assert isinstance(answer, str)
    return answer_of(answer, text)


@pytest.mark.parametrize("uri", ["/etc/passwd", "/proc/self/environ", "file:///etc/passwd"])
def test_it_reads_no_file_of_its_own(uri: str) -> None:
    """Nor does it look whether it is there; the same for what it would write."""
    function = SplitFunction(Place(split_handler._source, split_handler._sink, worker="the function splits"))
    found = answered(function, replace(UNIT, source=replace(UNIT.source, uri=uri)))
    assert isinstance(found, Failed)
    assert (found.code, found.again) == ("AccessError", False)
    assert found.message == f"the split function reads s3:// and http(s)://, writes s3://, and takes no path: {uri}"
    assert found.hint == "workers use their own credentials: this is the function splits"


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


def test_what_is_no_unit_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    """And its answer says why."""
    function = SplitFunction(Place(lambda _: MemorySource(DATA), worker="the function splits"))
    answer: Any = function({"splitjoin": "unit", "unit": json.dumps({"version": "0.0.1"})})
    said = json.loads(answer)
    assert said["message"] == f"the function splits has splitjoin {release()}, and the command 0.0.1"
    answer = function({"splitjoin": "unit", "unit": "[]"})
    assert json.loads(answer)["message"].startswith("the function splits cannot read its unit: ")
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
