"""The files of this machine, as patterns find them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, final

from splitjoin_cli.stores.sources.local import unreadable
from splitjoin_cli.stores.sources.patterns import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LocalTree"]


@final
class LocalTree:
    """Paths, from the working directory or the root. See Tree.

    A file is an ordinary one, or a link to one, or to nothing, which is an error of that source; pipes, sockets and
    devices are none. Raises SourceError where a directory may not be read.
    """

    hides_dots = True

    def files(self, folder: str, beginning: str) -> Iterator[SourceFile]:
        """See Tree."""
        for entry in self._entries(folder, beginning):
            with suppress(FileNotFoundError):  # removed meanwhile
                if entry.is_file():
                    yield SourceFile(folder + entry.name, entry.stat().st_size)
                elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110 -- paths are text here
                    yield SourceFile(folder + entry.name, 0)

    def folders(self, folder: str, beginning: str) -> Iterator[str]:
        """See Tree. Links to directories are followed."""
        return (entry.name for entry in self._entries(folder, beginning) if entry.is_dir())

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
