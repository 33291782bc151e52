"""Chunks as files of a directory: a manifest, or while it is not there a plan, says what metadata would."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import AccessError, MixupError, NotFoundError, SourceChangedError, StoreError
from splitjoin_cli.core.files import check_ordinary, next_step, open_ordinary, status_of
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.stores.chunks.base import StoredChunk
from splitjoin_cli.stores.chunks.described import CheckedStream, Descriptions, chunk_name, described

if TYPE_CHECKING:
    from io import FileIO

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.names import ChunkName
    from splitjoin_cli.stores.chunks.described import Described

__all__ = ["DirectoryChunks"]


@final
class DirectoryChunks:
    """A ChunkStore over the file system; a URI is a path."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self._documents = Descriptions()

    def open_chunk(self, uri: str, *, body: bool = True) -> StoredChunk:  # noqa: ARG002 -- a file is opened when read
        """See ChunkStore."""
        path = Path(uri)
        name = chunk_name(uri)
        validator, size = _look(path)
        found = self._described(path, name, size)
        checksum = found.checksum if found else None
        return StoredChunk(
            uri=uri,
            name=name,
            size=size,
            metadata=found.metadata if found else None,
            beside=None,
            validator=validator,
            checksum=checksum,
            open=partial(_open, path, validator, size, checksum),
            etag_now=lambda: _validator_now(path),
            close=lambda: None,
        )

    def close(self) -> None:
        """See ChunkStore."""

    def _described(self, path: Path, name: ChunkName, size: int) -> Described | None:
        kinds: dict[str, type[Manifest | PlanFile]] = {
            names.manifest_name(name.file_name): Manifest,
            names.plan_name(name.file_name): PlanFile,
        }
        seen = []
        for other, kind in kinds.items():
            document = path.with_name(other)
            try:
                validator, _ = _look(document)
                held = self._documents.get(str(document), validator, partial(_parse, document, kind, name.file_name))
            except NotFoundError:
                continue
            found = described(held, name, size)
            if found is not None:
                return found
            seen.append(str(document))
        if seen:
            raise MixupError(
                f"{path} is not the chunk that {seen[0]} lists", hint="split again, or look with splitjoin verify"
            )
        return None


class _OpenDocument:
    """See Document."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self._path, self._file = path, file
        self.size = os.fstat(file.fileno()).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), size, offset)
        except OSError as exc:
            raise _translated(self._path, exc) from exc


def _parse(path: Path, kind: type[Manifest | PlanFile], file_name: str) -> Manifest | PlanFile:
    try:
        file = open_ordinary(path)
    except OSError as exc:
        raise _translated(path, exc) from exc
    with file:
        return kind.read(_OpenDocument(path, file), str(path), file_name=file_name)


def _look(path: Path) -> tuple[str, int]:
    """The file's validator and size."""
    try:
        found = status_of(path)
    except OSError as exc:
        raise _translated(path, exc) from exc
    if found is None:
        raise _absent(path)
    check_ordinary(path, found)
    return _validator(found), found.st_size


def _validator(found: os.stat_result) -> str:
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ino}"


def _validator_now(path: Path) -> str | None:
    try:
        return _look(path)[0]
    except NotFoundError:
        return None


def _open(path: Path, validator: str, size: int, checksum: int | None) -> ByteStream:
    stream = _FileStream(path, validator, size)
    return stream if checksum is None else CheckedStream(stream, size=size, checksum=checksum, name=str(path))


class _FileStream:
    """A pass over a file that must stay what it is."""

    def __init__(self, path: Path, validator: str, size: int) -> None:
        self._path = path
        self._left = size
        try:
            self._file = open_ordinary(path)
        except OSError as exc:
            raise _translated(path, exc) from exc
        if _validator(os.fstat(self._file.fileno())) != validator:
            self.close()
            raise self._changed()

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        view, done = buffer[: min(len(buffer), self._left)], 0
        while done < len(view):
            try:
                got = self._file.readinto(view[done:])
            except OSError as exc:
                raise _translated(self._path, exc) from exc
            if not got:
                raise self._changed()
            done += got
        self._left -= done
        return done

    def close(self) -> None:
        """See ByteStream."""
        self._file.close()

    def _changed(self) -> SourceChangedError:
        return SourceChangedError(f"{self._path} changed while it was read")


def _absent(path: Path) -> NotFoundError:
    return NotFoundError(f"{path} is not there")


def _translated(path: Path, exc: OSError) -> StoreError:
    if isinstance(exc, (FileNotFoundError, NotADirectoryError)):
        return _absent(path)
    if isinstance(exc, PermissionError):
        return AccessError(f"not allowed to read {path}", hint="check its permissions")
    return StoreError(f"reading {path} failed: {exc.strerror or exc}", hint=next_step(exc))
