"""What several splits of one command say when they end: each one's result or error, and one summary of all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.errors import PartialError, SourcesFailedError
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.result import SplitResult

if TYPE_CHECKING:
    from splitjoin_cli.core.errors import SplitjoinError, StoppedError

__all__ = ["FailedSource", "SplitsResult", "partial_error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedSource:
    """A source of which there is no split, and why. ``uri``: without user, password and query.

    ``stored_bytes``, ``fingerprint``: None where it was not read so far.
    """

    uri: str
    error: SplitjoinError
    stored_bytes: int | None = None
    fingerprint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Its document."""
        source = {"uri": self.uri, "bytes": self.stored_bytes, "fingerprint": self.fingerprint}
        return {"source": source, "error": self.error.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitsResult:
    """Several splits of one call, in the order of their sources.

    ``splits``: those that were begun; of a partial one its result. ``left_out``: how many chunks, plans and manifests
    of splits the patterns and places did not take. ``again``: the whole command. ``stopped``: the signal, if one came.
    ``nothing``: why there is no source at all.
    """

    splits: tuple[SplitResult | FailedSource, ...]
    not_begun: int
    left_out: int
    seconds: float
    again: str
    stopped: StoppedError | None = None
    nothing: SplitjoinError | None = None

    @property
    def done(self) -> int:
        """How many are whole."""
        return sum(isinstance(one, SplitResult) and not one.failed for one in self.splits)

    @property
    def failed(self) -> int:
        """How many are not; those that were not begun do not count."""
        return len(self.splits) - self.done

    @property
    def exit_code(self) -> int:
        """The command's."""
        return 0 if self.error is None else self.error.exit_code

    @property
    def error(self) -> SplitjoinError | None:
        """Why not all are done; None where all are."""
        if self.stopped is not None or self.nothing is not None:
            return self.stopped or self.nothing
        if not self.failed:
            return None
        codes = Counter(_code(one) for one in self.splits)
        if len(codes) > 1 or codes[3]:
            return PartialError(f"{self.failed:,} of {count_text(len(self.splits), 'source')} failed", hint=self._hint)
        every = "the source" if len(self.splits) == 1 else f"all {len(self.splits):,} sources"
        return SourcesFailedError(f"{every} failed", code=next(iter(codes)))

    def __post_init__(self) -> None:
        if self.stopped is not None:
            total = len(self.splits) + self.not_begun
            self.stopped.hint = f"{self.done:,} of {count_text(total, 'source')} are done; {self._hint}"

    @property
    def resume(self) -> str | None:
        """The whole command, where it goes on with what is not done."""
        error = self.error
        return self.again if error is self.stopped is not None or isinstance(error, PartialError) else None

    @property
    def _hint(self) -> str:
        return f"to resume, type: {self.again}"

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``; its ``chunks`` are made as they are asked for."""
        error = self.error
        return {
            "splits": [_document(one) for one in self.splits],
            "done": self.done,
            "failed": self.failed,
            "not_begun": self.not_begun,
            "seconds": round(self.seconds, 3),
            "resume": self.resume,
            "error": None if error is None else error.to_json(),
        }


def partial_error(failed: int, total: int, hint: str | None) -> PartialError:
    """Why a split is not whole of which some chunks failed."""
    return PartialError(f"{failed:,} of {count_text(total, 'chunk')} failed", hint=hint)


def _code(one: SplitResult | FailedSource) -> int:
    if isinstance(one, FailedSource):
        return one.error.exit_code
    return PartialError.exit_code if one.failed else 0


def _document(one: SplitResult | FailedSource) -> dict[str, Any]:
    document = one.to_json()
    if isinstance(one, SplitResult) and one.failed:
        hint = f"to resume, type: {one.resume}"
        document["error"] = partial_error(one.failed, one.total_parts, hint).to_json()
    return document
