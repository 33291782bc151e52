"""Which names were free when a call of many splits began: a directory is listed once, and not for each of them.

A listing takes time for all that lies there. It is old when a split comes to it: what has a name since then shows by
its plan or manifest, which are looked for by name, and so are the split's own chunks.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from splitjoin_cli.core.names import MANIFEST_SUFFIX, PLAN_SUFFIX, manifest_name, plan_name
from splitjoin_cli.splitting.result import chunk_name
from splitjoin_cli.splitting.stored_chunks import FEW, batches_of, sizes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["FreeNames"]


class FreeNames:
    """Of the jobs that a call splits into one place. Thread-safe."""

    def __init__(self, file_names: Iterable[str]) -> None:
        """``file_names``: all of them."""
        self._wanted = frozenset(file_names)
        self._taken: frozenset[str] | None = None
        self._listing = threading.Lock()

    def has(self, sink: Sink, file_name: str) -> bool:
        """Whether there was nothing of a job; False also where a look at that job alone costs no more.

        Raises StoreError where the place cannot be listed.
        """
        batches = batches_of(sink)
        if batches is None or file_name not in self._wanted:
            return False
        with self._listing:
            if self._taken is None:
                self._taken = self._wanted.intersection(map(_file_name, batches.all_names()))
        return file_name not in self._taken

    def still_has(self, sink: Sink, plan: PlanFile) -> bool:
        """Whether ``has``, and there is neither plan nor manifest of the job now, nor a chunk of ``plan``.

        Another process may finish meanwhile: its manifest is there before its plan goes, so that the plan is asked for
        first. False also where a listing costs no more than to ask for all chunks.
        """
        total = len(plan.chunks)
        if total > FEW or not self.has(sink, plan.file_name):
            return False
        own = (chunk_name(plan, number) for number in range(1, total + 1))
        sizes = sizes_of(sink, (plan_name(plan.file_name), manifest_name(plan.file_name), *own))
        return all(size < 0 for size in sizes)


def _file_name(name: str) -> str:
    """Of the job that an object is of, where it is of one.

    Not parsed, which a million names would notice: what is no chunk and looks like one only costs its job a listing.
    """
    if name.endswith((MANIFEST_SUFFIX, PLAN_SUFFIX)):
        return name.removesuffix(MANIFEST_SUFFIX).removesuffix(PLAN_SUFFIX)
    return name.rsplit("-", 2)[0]
