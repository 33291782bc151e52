"""The mark by which command and workers know that they write units and answers alike."""

from __future__ import annotations

import pytest

from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.splitting.engines.base import ScanUnit
from splitjoin_cli.splitting.engines.specs import ChunkSpec
from splitjoin_cli.splitting.engines.wire import protocol
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.lines import Skips
from splitjoin_cli.splitting.stored.bodies import BodyFacts
from splitjoin_cli.splitting.stored.problems import Problem


@pytest.mark.parametrize("kind", [ScanUnit, ChunkSpec, ByteRange, Alphabet, Skips, BodyFacts, Problem])
def test_a_field_more_is_another_protocol(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a unit, or of any value in it or in an answer."""
    mark = protocol.__wrapped__
    before = mark()
    monkeypatch.setitem(kind.__annotations__, "more", "int")
    assert mark() != before
