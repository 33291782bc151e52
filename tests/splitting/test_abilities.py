"""A store is asked once for a command, beside the scan, and what is missing is told once and acted on."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.core.errors import AccessError, StoreError
from splitjoin_cli.core.model import S3Location
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.abilities import Abilities, Inquiry, warn_before_removal
from splitjoin_cli.stores.sinks.base import TriedWrites
from splitjoin_cli.stores.sinks.memory import MemorySink

if TYPE_CHECKING:
    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.stores.sinks.base import Prober, Sink

ALL = TriedWrites(conditional=True, checksums=True)
SOURCE = S3Location("exports", "acme.csv", '"1"')


class Hears(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.details: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def detail(self, message: str) -> None:
        self.details.append(message)


class Answers:
    """A Prober that answers as it was told, and notes what it was asked."""

    def __init__(
        self,
        writes: TriedWrites | StoreError = ALL,
        *,
        uploads: bool | StoreError = True,
        copies: bool = True,
        stale: int = 0,
    ) -> None:
        self._writes, self._uploads, self._copies, self._stale = writes, uploads, copies, stale
        self.asked: list[str] = []
        self.left: list[SplitjoinError] = []

    def try_writes(self) -> TriedWrites:
        self.asked.append("writes")
        if isinstance(self._writes, StoreError):
            raise self._writes
        return self._writes

    def try_uploads(self) -> bool:
        self.asked.append("uploads")
        if isinstance(self._uploads, StoreError):
            raise self._uploads
        return self._uploads

    def try_copy(self, source: S3Location) -> bool:
        self.asked.append(source.key)
        return self._copies

    def remove_stale(self) -> int:
        self.asked.append("stale")
        return self._stale

    def stop(self) -> None:
        self.asked.append("stop")


class Keeps(Answers):
    """One that may not remove what it stored."""

    def try_writes(self) -> TriedWrites:
        self.left.append(AccessError("kept"))
        return super().try_writes()


def on_store(prober: Prober) -> Sink:
    """A sink whose store is asked so."""
    sink: Any = SimpleNamespace(prober=prober)
    return cast("Sink", sink)


def test_it_is_asked_once_whatever_splits_there_are() -> None:
    """The copy when a split comes that would copy; nothing is missing, nothing is said."""
    heard, prober = Hears(), Answers()
    inquiry = Inquiry(heard)
    assert inquiry.settled() == Abilities()
    for copied in (None, SOURCE, SOURCE, None):
        inquiry.begin(on_store(prober), copied)
    assert inquiry.settled() == Abilities(conditional_writes=True, lists_uploads=True, copies=True)
    inquiry.__exit__(None)
    assert sorted(prober.asked) == sorted(["writes", "uploads", "stale", SOURCE.key])
    assert (heard.warnings, heard.details) == ([], [])


def test_what_is_missing_is_told_once() -> None:
    """Each in a sentence, as soon as it is known."""
    heard = Hears()
    prober = Answers(TriedWrites(conditional=False, checksums=False), uploads=False, copies=False, stale=2)
    inquiry = Inquiry(heard)
    inquiry.begin(on_store(prober), SOURCE)
    assert inquiry.settled() == Abilities(conditional_writes=False, lists_uploads=False, copies=False)
    inquiry.settled()
    inquiry.__exit__(None)
    assert [warning.partition(": ")[::2] for warning in heard.warnings] == [
        ("this store does not keep conditional writes apart", "do not run two splits of one name at once"),
        (
            "this store does not confirm CRC-64/NVME checksums",
            "each upload carries an MD5 instead, and splitjoin verify reads every chunk",
        ),
        (
            "this store does not list unfinished uploads",
            "those of a killed split stay until you or a lifecycle rule end them",
        ),
        ("this store does not copy parts of objects", "the chunks' bytes pass through this machine"),
    ]


def test_a_copy_that_is_refused_later_is_told_once() -> None:
    """Where the question was not asked, or denied: whoever meets it first tells; the splits that follow do without."""
    heard = Hears()
    inquiry = Inquiry(heard, "the workers")
    assert inquiry.settled().copies is None
    for why in ("UploadPartCopy: denied", "UploadPartCopy: denied again"):
        inquiry.refused(why)
    assert inquiry.settled().copies is False
    inquiry.__exit__(None)
    assert heard.warnings == ["UploadPartCopy: denied; the chunks' bytes pass through the workers"]


def test_what_cannot_be_found_out_fails_nothing() -> None:
    """Denied writes are told where the split goes on, once; a listing that is denied the split's own says."""
    heard = Hears()
    inquiry = Inquiry(heard)
    inquiry.begin(on_store(Answers(AccessError("no", hint="ask"), uploads=AccessError("nor this"))), None)
    inquiry._executor.shutdown()
    assert heard.warnings == []
    assert inquiry.settled() == inquiry.settled() == Abilities()
    assert heard.warnings == ["what this store can do is not known: no; ask"]
    other = Hears()
    inquiry = Inquiry(other)
    inquiry.begin(on_store(Answers(StoreError("in trouble"))), None)
    assert inquiry.settled() == Abilities(lists_uploads=True)
    inquiry.__exit__(None)
    assert (other.warnings, other.details) == ([], ["what this store can do is not known: in trouble"])


def test_what_stays_there_is_told() -> None:
    """Whoever may not remove it hears where it is."""
    heard = Hears()
    inquiry = Inquiry(heard)
    inquiry.begin(on_store(Keeps()), None)
    inquiry.settled()
    inquiry.__exit__(None)
    assert heard.warnings == ["what was stored to try this store stays there: kept"]


def test_the_end_waits_for_what_is_under_way_alone() -> None:
    """What was not begun is not asked any more; what is under way removes what it stored before the end."""
    began, may_end = threading.Event(), threading.Event()

    class Slow(Answers):
        def try_writes(self) -> TriedWrites:
            began.set()
            assert may_end.wait(60)
            return super().try_writes()

        def stop(self) -> None:
            super().stop()
            may_end.set()

    prober = Slow()
    inquiry = Inquiry(Silent())
    inquiry.begin(on_store(prober), SOURCE)
    assert began.wait(60)
    inquiry.__exit__(KeyboardInterrupt)
    assert prober.asked == ["stop", "writes"]
    assert inquiry.settled().copies is None


@pytest.mark.parametrize(
    ("prober", "warnings"),
    [
        (Answers(), []),
        (Answers(StoreError("in trouble")), []),
        (
            Answers(TriedWrites(conditional=False, checksums=True)),
            ["this store does not keep conditional writes apart: make sure that no split of this name runs"],
        ),
    ],
)
def test_a_removal_asks_for_conditional_writes_alone(prober: Answers, warnings: list[str]) -> None:
    """They are what keeps a split out of the name meanwhile."""
    heard = Hears()
    warn_before_removal(on_store(prober), heard)
    assert (heard.warnings, prober.asked) == (warnings, ["writes"])
    warn_before_removal(MemorySink(), heard)
