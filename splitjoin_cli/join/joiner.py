"""One try of a join: claim, look into the ledger, continue, finish. The worker and the sweep share it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import ContinuationError, SplitjoinError, StoppedError
from splitjoin_cli.core.ranges import NumberRanges, ranges_text
from splitjoin_cli.join.base import JoinPayload
from splitjoin_cli.join.lease import renewing
from splitjoin_cli.stores.trackers.answers import Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.join.base import Continuation
    from splitjoin_cli.join.lease import KeepLease
    from splitjoin_cli.stores.loaders.base import LedgerTotal, Loader
    from splitjoin_cli.stores.trackers.answers import Claim
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Run

__all__ = ["JoinTry", "Joiner", "backoff_seconds"]

_LOG = logging.getLogger(__name__)
FIRST_BACKOFF_SECONDS = 30.0
LONGEST_BACKOFF_SECONDS = 900.0
LEASE_SECONDS = 300.0


def backoff_seconds(attempt: int) -> float:
    """How long after the ``attempt``-th failed try, from 1, the next one may begin: 30 s, doubled up to 15 min."""
    return min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** (attempt - 1))


@dataclass(frozen=True, slots=True)
class JoinTry:
    """How a try ended.

    ``joined``: this one finished the join. ``refused``: why it could not be claimed. ``replaced``: a newer run took
    the job over meanwhile. ``error``: what went wrong after the claim; the tracker knows it where it could be told.
    """

    joined: bool = False
    refused: Refusal | None = None
    replaced: bool = False
    error: SplitjoinError | None = None

    @property
    def settled(self) -> bool:
        """Whether nobody needs to look after this run's join any more."""
        return self.joined or self.replaced or self.refused in {Refusal.JOINED, Refusal.SUPERSEDED}


class Joiner:
    """Tries joins on behalf of ``owner``. Thread-safe; each step is safe to repeat, by anybody, after any crash.

    The order is what makes it so. The claim is the right to go on, for as long as its lease is alive. The ledger is
    counted before the continuation, because counts outlive a restored database. The finish needs only the same run,
    because a continuation that outlives its lease would otherwise repeat for ever.
    """

    def __init__(
        self,
        *,
        tracker: Tracker,
        loader: Loader,
        continuation: Continuation,
        owner: str,
        lease_seconds: float | Callable[[], float] = LEASE_SECONDS,
        backoff: Callable[[int], float] = backoff_seconds,
        keep_lease: KeepLease = renewing,
        log: logging.Logger = _LOG,
    ) -> None:
        """``owner``: for people who read the tracker. ``backoff``: seconds after the n-th failed try, n from 1.

        ``lease_seconds``: what a claim asks for; asked anew for each claim where it is a function.
        """
        self._tracker = tracker
        self._loader = loader
        self._continuation = continuation
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._backoff = backoff
        self._keep_lease = keep_lease
        self._log = log

    def try_join(self, run: Run) -> JoinTry:
        """Claim the run's join, and see it through. Raises what the tracker raises where no claim came about."""
        lease_seconds = self._lease_seconds() if callable(self._lease_seconds) else self._lease_seconds
        claim = self._tracker.claim_join(run, owner=self._owner, lease_seconds=lease_seconds)
        if isinstance(claim, Refused):
            return JoinTry(refused=claim.reason)
        try:
            payload = self._payload(claim)
        except StoppedError:
            raise
        except SplitjoinError as exc:
            self._tell(claim, "the ledger could not be counted: %s", exc.message)
            self._tracker.release_join(claim)
            return JoinTry(error=exc)
        if isinstance(payload, str):
            return self._refuse(claim, payload)
        return self._continue(claim, payload, lease_seconds)

    def _payload(self, claim: Claim) -> JoinPayload | str:
        """What the continuation is told; or, as text, why it must not be told anything."""
        run = claim.run
        held = self._loader.ledger_rows(run.file_name, run.run_id)
        if held.chunks < claim.total_parts and (reason := self._lacking(claim, held)):
            return reason
        joined_at = datetime.fromtimestamp(claim.joined_at, UTC).isoformat(timespec="milliseconds")
        return JoinPayload(run.file_name, run.run_id, claim.total_parts, held.rows, joined_at.replace("+00:00", "Z"))

    def _lacking(self, claim: Claim, held: LedgerTotal) -> str | None:
        """Why a ledger with fewer chunks than were counted is not enough. The published counter's have no row there."""
        run = claim.run
        unnumbered = self._tracker.progress(run.file_name).unnumbered
        counted = claim.total_parts - unnumbered
        if held.chunks >= counted:
            return None
        text = f"{counted} chunks were counted, and the ledger holds {held.chunks}: was the database restored?"
        if unnumbered:
            return text
        present = self._loader.ledger_numbers(run.file_name, run.run_id)
        missing = NumberRanges.without(present, claim.total_parts)
        return f"{text} Missing: {ranges_text(missing, most=20)}"

    def _refuse(self, claim: Claim, reason: str) -> JoinTry:
        self._tell(claim, "the join failed: %s", reason)
        error = ContinuationError(
            f"{claim.run.file_name}: {reason}",
            hint="deliver the missing chunks again (splitjoin retry --chunks NUMBERS --counted); the join stays failed "
            "until splitjoin retry --join",
        )
        written = self._tracker.fail_join(claim, error=reason, backoff_seconds=0, final=True)
        return JoinTry(error=error, replaced=not written and self._is_replaced(claim))

    def _is_replaced(self, claim: Claim) -> bool:
        """A newer run takes the older one's rows out of the ledger: then it is no wonder that they are not there."""
        job = self._tracker.job(claim.run.file_name)
        return job is not None and job.generation > claim.run.generation

    def _continue(self, claim: Claim, payload: JoinPayload, lease_seconds: float) -> JoinTry:
        try:
            with self._keep_lease(self._tracker, claim, lease_seconds):
                self._continuation.run(payload)
        except StoppedError:
            raise
        except Exception as exc:  # noqa: BLE001 -- whatever it is: the tracker must know, or it would look like a crash
            return self._failed(claim, exc)
        return self._finish(claim, payload)

    def _failed(self, claim: Claim, exc: Exception) -> JoinTry:
        error = exc
        if not isinstance(error, SplitjoinError):
            self._log.error("unexpected error of %s", self._continuation.uri, exc_info=exc, extra=_extra(claim.run))
            error = ContinuationError(f"{self._continuation.uri}: unexpected {type(exc).__name__}; the log has more")
        self._tell(claim, "the continuation failed: %s", error.message)
        self._tracker.fail_join(claim, error=error.message, backoff_seconds=self._backoff(claim.attempt))
        return JoinTry(error=error)

    def _finish(self, claim: Claim, payload: JoinPayload) -> JoinTry:
        run = claim.run
        try:
            if not self._loader.mark_joined(
                run.file_name, run.run_id, payload.joined_at, total_parts=payload.total_parts
            ):
                self._tell(claim, "the ledger is another run's, or lacks chunks: %s", "it does not note the join")
        except StoppedError:
            raise
        except SplitjoinError as exc:  # only answers late redeliveries after the tracker lost the job
            self._tell(claim, "the ledger could not note the join: %s", exc.message)
        if not self._tracker.finish_join(run):
            return JoinTry(replaced=True)
        self._log.info("joined %d chunks, %d rows", payload.total_parts, payload.rows, extra=_extra(run))
        return JoinTry(joined=True)

    def _tell(self, claim: Claim, text: str, what: str) -> None:
        self._log.warning(text, what, extra=_extra(claim.run))


def _extra(run: Run) -> dict[str, str]:
    return {"file_name": run.file_name, "run_id": run.run_id}
