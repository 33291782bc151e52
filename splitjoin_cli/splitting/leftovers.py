"""What killed runs left in a place, removed where the store lets it be found: a courtesy, no condition of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.names import manifest_name, parse_plan_name
from splitjoin_cli.splitting.stored_chunks import batches_of

if TYPE_CHECKING:
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["Leftovers"]


class Leftovers:
    """Those of one job, or of all jobs of a place where one look shows them."""

    def __init__(self, sink: Sink, job: JobName, observer: Observer, swept: set[str] | None = None) -> None:
        """``swept``: the places where all of them are gone, or are being removed, by all splits of a call.

        A look costs what lies there, and splits of one call run side by side.
        """
        self._sink, self._job, self._observer = sink, job, observer
        self._swept = set() if swept is None else swept
        self._told = False

    def sweep(self, sink: Sink | None = None) -> None:
        """Remove them. ``sink``: another one of the same place, to which what was begun before it is what was left."""
        place = (sink or self._sink).properties.uri
        of_all_jobs = batches_of(self._sink) is not None
        if of_all_jobs and sink is None and place in self._swept:
            return
        self._swept.add(place)  # now: another split would look as well meanwhile
        try:
            gone = self._removed(sink or self._sink, of_all_jobs=of_all_jobs)
        except StoreError as exc:
            self._swept.discard(place)
            if not self._told:
                self._observer.warn(f"cannot remove what killed splits left: {exc.told}")
            self._told = True
            return
        if gone:
            self._observer.detail(f"removed {gone} leftovers of a killed run")

    def _removed(self, sink: Sink, *, of_all_jobs: bool) -> int:
        gone = sink.sweep(f"{self._job.file_name}-")  # of its chunks, and of no chunk of a job that is named ``a_12``
        if not of_all_jobs:
            gone += sink.sweep(f"{self._job.client}_", only=self._is_document)
        return gone

    def _is_document(self, name: str) -> bool:
        """Whether it is this split's manifest, or the plan of any of this client's.

        A run that was killed while it looked whether it may write (``check_writable``) left an upload of its plan's
        name: another day's, where the date was today's.
        """
        job = parse_plan_name(name)
        return name == manifest_name(self._job.file_name) or (job is not None and job.client == self._job.client)
