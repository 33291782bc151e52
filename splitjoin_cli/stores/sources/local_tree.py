"""The files of this machine, as patterns find them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.files import status_of
from splitjoin_cli.stores.sources.local import unreadable
from splitjoin_cli.stores.sources.patterns import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LocalTree"]


@final
class LocalTree:
    """Paths, from the working directory or the root. See Tree.

    A file is an ordinary one, or a link to one, or to nothing (itself, too), which is an error of that source; pipes,
    sockets and devices are none. Raises SourceError where a directory may not be read.
    """

    hides_dots = True

    def files(self, folder: str, beginning: str) -> Iterator[SourceFile]:
        """See Tree."""
        for entry in self._entries(folder, beginning):
            try:
                found = status_of(entry.path)
            except OSError as exc:
                raise unreadable(entry.path, exc) from exc
            if found is not None and stat.S_ISREG(found.st_mode):
                yield SourceFile(folder + entry.name, found.st_size)
            elif found is None and entry.is_symlink():
                yield SourceFile(folder + entry.name, 0)

    def folders(self, folder: str, beginning: str) -> Iterator[str]:
        """See Tree. Links to directories are followed."""
        return (entry.name for entry in self._entries(folder, beginning) if _is_folder(entry))

    def file(self, name: str) -> SourceFile | None:
        """See Tree."""
        return SourceFile(name, os.stat(name).st_size) if os.path.isfile(name) else None  # noqa: PTH113, PTH116 -- paths are text here

    def _entries(self, folder: str, beginning: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder or ".") as entries:
                return [entry for entry in entries if entry.name.startswith(beginning)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, ValueError) as exc:
            raise unreadable(folder, exc) from exc


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that cannot be followed, to itself for example
        return False
