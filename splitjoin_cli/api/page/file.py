"""Writes the page to a file: whole or not at all, and never over a file that is no page."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NotAFileError, NotFoundError, StoreError, UsageError
from splitjoin_cli.core.files import is_directory, is_missing, open_ordinary

if TYPE_CHECKING:
    from splitjoin_cli.api.page.facts import PageFacts

__all__ = ["check_page", "write_page"]

BEGIN = b"<!doctype html>"
MODE = 0o666


def write_page(path: Path, facts: PageFacts) -> None:
    """Write the page, or put it in the place of an earlier one. Raises UsageError, StoreError."""
    from splitjoin_cli.api.page.render import page

    check_page(path)
    data = page(facts).encode("utf-8", "backslashreplace")
    target = Path(os.path.realpath(path))
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".splitjoin-page-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.chmod(temporary, MODE & ~_umask())  # noqa: PTH101 -- a name, not a path of ours
            os.replace(temporary, target)  # noqa: PTH105 -- the same
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 -- the same
            raise
    except OSError as exc:
        raise StoreError(f"cannot write {path}: {exc.strerror}", hint="name another file with --html FILE") from exc


def check_page(path: Path) -> None:
    """Raise UsageError, or StoreError, where no page can be written, or a file would be lost."""
    if str(path) == "-":
        raise UsageError("--html writes a file, and - is standard output", hint="name a file with --html FILE")
    if is_directory(path):
        raise UsageError(f"{path} is a directory", hint="name a file in it with --html FILE")
    parent = Path(os.path.realpath(path)).parent
    if is_missing(parent):
        raise NotFoundError(f"no such directory: {parent}", hint="make it, or name another file")
    if is_missing(path):
        return
    try:
        with open_ordinary(path) as file:
            begin = file.read(len(BEGIN))
    except NotAFileError:
        begin = b"?"
    except OSError as exc:
        raise StoreError(f"cannot read {path}: {exc.strerror}", hint="name another file with --html FILE") from exc
    if begin and begin.lower() != BEGIN:
        raise UsageError(f"{path} is there, and is not an HTML page", hint="name another file with --html FILE")


def _umask() -> int:
    """The process's, which can only be seen by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
