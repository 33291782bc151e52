"""Keeps a claim alive while its continuation runs: the lease is renewed at a third of its length, by fence."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import SplitjoinError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from splitjoin_cli.stores.trackers.answers import Claim
    from splitjoin_cli.stores.trackers.base import Tracker

    KeepLease = Callable[[Tracker, Claim, float], AbstractContextManager[None]]

__all__ = ["RENEWALS_PER_LEASE", "renewing"]

_LOG = logging.getLogger(__name__)
RENEWALS_PER_LEASE = 3


@contextmanager
def renewing(tracker: Tracker, claim: Claim, lease_seconds: float) -> Iterator[None]:
    """Renew ``claim`` from a thread of its own until the block ends.

    A renewal that fails is tried again a third later. Once the claim is somebody else's it stops: the continuation is
    not interrupted for it, since its success counts whoever holds the claim by then.
    """
    ended = threading.Event()
    extra = {"file_name": claim.run.file_name, "run_id": claim.run.run_id}

    def renew() -> None:
        current = claim
        while not ended.wait(lease_seconds / RENEWALS_PER_LEASE):
            try:
                renewed = tracker.renew_join(current, lease_seconds=lease_seconds)
            except SplitjoinError as exc:
                _LOG.warning("the lease could not be renewed: %s", exc.message, extra=extra)
                continue
            if renewed is None:
                _LOG.warning("the lease is another owner's by now; the continuation goes on", extra=extra)
                return
            current = renewed

    thread = threading.Thread(target=renew, name=f"lease-{claim.run.file_name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
