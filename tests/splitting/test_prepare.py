"""Which plan a split goes by: one that stands, where it can be trusted, or one of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from splitjoin_cli.core.errors import NameTakenError
from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting import prepare
from splitjoin_cli.splitting.request import ChunkSize
from splitjoin_cli.stores.sinks.memory import MemoryStore
from tests.splitting.runs import PLAN, Fate, Killed, MortalSink, TwoPass, chunks, request, split
from tests.splitting.test_every_path import copyable
from tests.splitting.test_transfer import Listens

EXPORT = b"id\tnote\n1\tone\\\ntwo\n2\tb\n"
ASKED = request(dialect=Dialect("\t", None, "\\"), size=ChunkSize(16))


def cut_by_an_earlier_release(store: MemoryStore) -> None:
    """An unfinished split whose plan was probed although newlines are escaped: it cuts at such a one."""
    at = 0
    while PLAN not in store.objects:
        with pytest.raises(Killed):
            split(copyable(EXPORT, store), MortalSink(TwoPass(store), Fate(at, after=True)), ASKED)
        at += 1
    plan = PlanFile.from_bytes(store.objects[PLAN].data, PLAN)
    table = ChunkTable(plan.header_bytes)
    for end in (EXPORT.index(b"two"), len(EXPORT)):
        table.append(end, None, None)
    TwoPass(store).put_small(PLAN, replace(plan, chunks=table, run_id="0" * 32).to_bytes())


def test_a_plan_that_cuts_at_escaped_newlines_is_not_resumed() -> None:
    """The source is scanned, which finds other cuts: the name is taken until --force gives it up."""
    store, heard = MemoryStore(), Listens()
    cut_by_an_earlier_release(store)
    with pytest.raises(NameTakenError, match=f"holds an unfinished split of .* \\(run {'0' * 32}, 2 chunks\\)"):
        split(copyable(EXPORT, store), TwoPass(store), ASKED, observer=heard)
    assert heard.warnings[0] == (
        f"the plan of run {'0' * 32} was made by an earlier release, without a scan: it may cut records at "
        "newlines that do not end them, so the source is scanned again"
    )
    result = split(copyable(EXPORT, store), TwoPass(store), replace(ASKED, force=True))
    assert result.plan.chunks.rows.tolist() == [1, 1]
    assert list(chunks(store).values()) == [b"id\tnote\n1\tone\\\ntwo\n", b"id\tnote\n2\tb\n"]


def test_too_many_chunks_are_foretold_before_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the sizes alone; whether there are too many is known only at the first one too many."""
    monkeypatch.setattr(prepare, "MAX_CHUNKS", 1)
    store, heard = MemoryStore(), Listens()
    split(copyable(EXPORT, store), TwoPass(store), replace(ASKED, size=ChunkSize(len(EXPORT))), observer=heard)
    assert heard.warnings == []
    split(copyable(EXPORT, store), TwoPass(store), replace(ASKED, force=True), observer=heard)
    assert heard.warnings[0] == (
        "the source has about 2 chunks of 16 bytes, and a split has at most 1: unless many records are larger, "
        "it needs --chunk-size above 23 bytes"
    )
