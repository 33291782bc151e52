"""Copies the body of one stored chunk, and proves on the way that it is what was stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.bytes.crc64 import tagged
from splitjoin_cli.core.errors import CorruptObjectError, StoreError
from splitjoin_cli.splitting.stored.chunks import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.splitting.stored.chunks import ChunkReader

__all__ = ["BodyFacts", "copy_body"]


class BodyFacts(NamedTuple):
    """What is known of a chunk. ``size``: of its body; ``checksum``: of the object as stored; None: not known.

    ``in_manifest``: a manifest says so.
    """

    name: str
    size: int | None
    checksum: int | None
    in_manifest: bool


def copy_body(
    reader: ChunkReader,
    said: BodyFacts,
    begins_right: Callable[[ChunkReader], bool],
    write: Callable[[int, memoryview], None],
) -> int:
    """Hand a chunk's body on, block by block, each with its place in the body; return the body's size.

    ``begins_right`` reads the header, and says whether it is the set's. Raises CorruptObjectError, StoreError.
    """
    if not begins_right(reader):
        raise _other_header(said)
    at, size = 0, said.size
    for block in reader.blocks(memoryview(bytearray(BLOCK_BYTES))):
        if size is not None and at + len(block) > size:
            raise _corrupt(f"{said.name} holds more than the {size} bytes of its body")
        write(at, block)
        at += len(block)
    if size is not None and at < size:
        raise _corrupt(f"{said.name} ends after {at} of the {size} bytes of its body")
    if said.checksum is not None and said.checksum != reader.checksum:
        found, wanted = tagged(reader.checksum), tagged(said.checksum)
        raise _corrupt(f"{said.name} has the checksum {found}, the manifest says {wanted}")
    return at


def _other_header(said: BodyFacts) -> StoreError:
    if said.in_manifest:
        return _corrupt(f"{said.name} does not begin with the header of chunk 1")
    hint = "where the chunks have no header, say --no-header"
    return StoreError(f"{said.name} does not begin with the first record of chunk 1, as its header", hint=hint)


def _corrupt(message: str) -> CorruptObjectError:
    return CorruptObjectError(message, hint="splitjoin verify says what else is wrong; then split again with --force")
