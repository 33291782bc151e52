"""The contract of a sink's prober, as a suite of tests: it finds out what the store lacks, and leaves nothing there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from splitjoin_cli.testing.bodies import Bytes
from splitjoin_cli.testing.sinks import WithSink

if TYPE_CHECKING:
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.testing.sinks import SinkRig

__all__ = ["ProbingContract"]

CHUNK = "acme_20240131-1-1.csv"
AT_ONCE = 4


class ProbingContract(WithSink):
    """Sinks whose ``prober`` is there."""

    def test_a_store_is_asked_and_nothing_is_left(self, rig: SinkRig, sink: Sink) -> None:
        """Writes, uploads, copies of an export; what else is in the place stays."""
        body = Bytes(b"id\n1\n")
        sink.put(CHUNK, body, checksum=body.crc)
        prober = sink.prober
        assert prober is not None
        found = prober.try_writes(), prober.try_uploads(), prober.try_copy(rig.export(b"id\n1\n"))
        assert found == (prober.try_writes(), True, prober.try_copy(rig.export(b"id\n1\n")))
        assert prober.remove_stale() == 0
        assert list(prober.left) == []
        assert [stored.name for stored in sink.list()] == [CHUNK]
        assert sink.sweep("") == 0

    def test_commands_at_once_find_what_they_find_alone(self, rig: SinkRig, sink: Sink) -> None:
        """Each removes what killed ones left, and not what another one needs."""
        assert sink.prober is not None
        alone = sink.prober.try_writes()

        def ask(_: int) -> object:
            with closing(rig.sink()) as another:
                assert another.prober is not None
                tried = another.prober.try_writes()
                another.prober.remove_stale()
                return tried

        with ThreadPoolExecutor(AT_ONCE) as executor:
            assert list(executor.map(ask, range(AT_ONCE))) == [alone] * AT_ONCE
        assert list(sink.list()) == []
