"""Looks at stored chunks that are not counted: an object of another run is never counted as this one's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import SplitjoinError, StoppedError
from splitjoin_cli.core.places import is_s3
from splitjoin_cli.join.chunk import run_of
from splitjoin_cli.join.operate.status import OtherObject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from splitjoin_cli.stores.chunks.base import ChunkStore
    from splitjoin_cli.stores.trackers.jobs import Run

__all__ = ["MOST", "look_at_objects"]

MOST = 100
"""Objects that one look asks: a request each."""
AT_ONCE = 8


def look_at_objects(
    chunks: ChunkStore, place: str, run: Run, total_parts: int, numbers: Iterable[int]
) -> tuple[OtherObject, ...]:
    """Those of the first MOST of ``numbers`` at ``place`` that are not of ``run``, ascending.

    One that cannot be read, or is gone by now, is left to the worker, which says why.
    """
    job = names.parse_file_name(run.file_name)
    if job is None:
        return ()
    prefix = place if place.endswith("/") or not place else f"{place}/"

    def look(number: int) -> OtherObject | None:
        for compression in (None, "gzip", "zstd"):
            name = names.format(names.ChunkName(job.client, job.date, number, total_parts, compression))
            try:
                with closing(chunks.open_chunk(f"{prefix}{name}", body=False)) as stored:
                    found, known = run_of(stored), stored.metadata is not None
            except StoppedError:
                raise
            except SplitjoinError:
                continue
            if (found.run_id, found.generation) == (run.run_id, run.generation):
                return None
            return OtherObject(number, found.run_id if known else None, found.generation)
        return None

    asked = list(islice(numbers, MOST))
    if not is_s3(place):
        found = [look(number) for number in asked]
    else:
        with ThreadPoolExecutor(AT_ONCE, "look") as executor:
            found = list(executor.map(look, asked))
    return tuple(one for one in found if one is not None)
