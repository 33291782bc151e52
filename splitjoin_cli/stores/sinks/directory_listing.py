"""Lists a directory in the order of its names, a million of them in little memory."""

from __future__ import annotations

import os
import stat
from heapq import merge
from typing import TYPE_CHECKING

from splitjoin_cli.core.files import check_ordinary, status_of
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.stores.sinks.staging_folder import STAGING_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["listed"]

RUN = 16_384
"""Names that are sorted at once; they are kept as one text of bytes, a third of what as many texts take."""
STEP_BYTES = 4096


def listed(path: Path, name_prefix: str, validator: Callable[[os.stat_result], str]) -> Iterator[StoredObject]:
    """The files directly in ``path`` whose names begin with ``name_prefix``, by name. Raises OSError, StoreError.

    Names are read at once, a file's status when it is its turn: one that went meanwhile is left out.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in _sorted_names(directory, name_prefix):
            found = status_of(name, directory=directory)
            if found is None:
                continue
            if not stat.S_ISREG(found.st_mode):
                check_ordinary(path / name, found)
            yield StoredObject(name, found.st_size, validator=validator(found), stored_at=found.st_mtime)
    finally:
        os.close(directory)


def _sorted_names(directory: int, name_prefix: str) -> Iterator[str]:
    runs: list[bytes] = []
    names: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(name_prefix) and not name.startswith(STAGING_PREFIX) and _is_file(entry, directory):
                names.append(name)
                if len(names) == RUN:
                    runs.append(_packed(names))
                    names = []
    names.sort()
    return merge(*map(_unpacked, runs), names) if runs else iter(names)


def _is_file(entry: os.DirEntry[str], directory: int) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself, for example
        found = status_of(entry.name, directory=directory)
        return found is not None and stat.S_ISREG(found.st_mode)


def _packed(names: list[str]) -> bytes:
    names.sort()
    return os.fsencode("\0".join(names))


def _unpacked(run: bytes) -> Iterator[str]:
    """The names of a run, some at a time: all of them would be many texts again."""
    at = 0
    while at < len(run):
        end = run.find(b"\0", at + STEP_BYTES)
        end = len(run) if end < 0 else end
        yield from os.fsdecode(run[at:end]).split("\0")
        at = end + 1
