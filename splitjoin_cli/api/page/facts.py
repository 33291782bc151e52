"""All that the page shows of a job, before it is drawn; what nobody knows is None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from splitjoin_cli.join.operate.status import JobStatus
    from splitjoin_cli.stores.loaders.base import LoadTime

__all__ = ["PageFacts"]


@dataclass(frozen=True, slots=True)
class PageFacts:
    """``stored``: when each stored chunk was uploaded; ``loads``: of the tracker's run. Both None where nobody looked.

    ``database``: whose ledger was read, without password; None where none was.
    """

    status: JobStatus
    stored: Mapping[int, float | None] | None = None
    loads: Sequence[LoadTime] | None = None
    database: str | None = None

    @property
    def uploads(self) -> dict[int, float] | None:
        """When chunks were uploaded, as far as the store says it."""
        if self.stored is None:
            return None
        return {number: at for number, at in self.stored.items() if at is not None}

    @property
    def durations(self) -> list[LoadTime]:
        """The loads of which both ends are known, the longest first."""
        known = [one for one in self.loads or () if one.began_at is not None and one.loaded_at is not None]
        return sorted(known, key=lambda one: (-seconds_of(one), one.number))


def seconds_of(load: LoadTime) -> float:
    """How long it took. Both ends MUST be known."""
    return max(0.0, (load.loaded_at or 0.0) - (load.began_at or 0.0))
