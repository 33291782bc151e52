"""The cheapest engine: units run on threads of this process, and go through JSON text all the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import EngineError
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.splitting.engines.unit import run_text
from splitjoin_cli.splitting.engines.words import CLUSTER

if TYPE_CHECKING:
    from concurrent.futures import Future

    from splitjoin_cli.splitting.engines.place import Place

__all__ = ["InProcess"]


@final
class InProcess(StaysHere):
    """An Engine of threads: for tests, and to see what the way through JSON costs."""

    name, words, lost_work = "in-process", CLUSTER, False

    def __init__(self, place: Place, threads: int = 2) -> None:
        """``place``: what the units reach, closed with this."""
        self.in_flight = 2 * threads
        self._place, self._pool = place, ThreadPoolExecutor(threads, "unit")

    def submit(self, unit: str) -> Future[str]:
        """As in Engine."""
        try:
            return self._pool.submit(run_text, unit, self._place)
        except RuntimeError as exc:
            raise EngineError("the engine was closed", hint="open another one") from exc

    def cancel(self, future: Future[str]) -> None:
        """As in Engine."""
        future.cancel()

    def close(self) -> None:
        """As in Engine."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._place.close()
