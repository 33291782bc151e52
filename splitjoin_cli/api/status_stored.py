"""What is stored of a job, for ``status``: its chunks by their names, and the rows that its manifest or plan says."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core import names
from splitjoin_cli.core.by_number import ByNumber

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["planned_rows", "stored_chunks"]

NO_TIME = -1.0


def stored_chunks(request: StoredRequest, *, total_parts: int) -> Mapping[int, float | None]:
    """The chunks of one job at a place, by their names, and when each was stored; those of another total are not its.

    Raises NotFoundError where there is no such directory or bucket, StoreError.
    """
    job = names.parse_file_name(request.file_name or "")
    if job is None:
        return {}
    numbers, times = array("q"), array("d")
    with open_place(request) as place:
        for stored in place.sink.list(f"{job.client}_"):
            name = names.parse(stored.name)
            if name is not None and (name.file_name, name.total) == (job.file_name, total_parts):
                numbers.append(name.number)
                times.append(NO_TIME if stored.stored_at is None else stored.stored_at)
    return ByNumber(numbers, times, NO_TIME)


def planned_rows(request: StoredRequest, run_id: str | None) -> Mapping[int, int | None]:
    """The rows of each chunk as the manifest or plan of this run at a place has them; empty where none of it is there.

    Raises NotFoundError where there is no such directory or bucket, StoreError.
    """
    from splitjoin_cli.core.format.chunk_table import UNKNOWN_ROWS
    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.format.plan_file import PlanFile

    file_name = request.file_name or ""
    with open_place(request) as place:
        for name, kind in ((names.manifest_name(file_name), Manifest), (names.plan_name(file_name), PlanFile)):
            stored = place.sink.open_small(name)
            if stored is None:
                continue
            with stored:
                document = kind.read(stored, place.sink.properties.uri + name, file_name=file_name)
            if document.run_id == run_id:
                return ByNumber(range(1, len(document.chunks) + 1), document.chunks.rows, UNKNOWN_ROWS)
    return {}
