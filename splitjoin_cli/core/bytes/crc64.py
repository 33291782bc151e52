"""CRC-64/NVME, the checksum that S3 computes by default: fast, and combinable, so that nothing is read for it alone.

Parameters as in the Rocksoft model: width 64, polynomial 0xAD93D23594C93659, reflected, init and xorout all ones; the
check value of ``123456789`` is 0xAE8B14860A799888. Computed by the compiled kernel where the package was built with it
(at 20 to 60 GB/s, without the GIL), else by awscrt, which does the same and takes long to import; by
Python alone where there is neither, as in the Lambda function, which hardly ever needs it.
"""

from __future__ import annotations

import base64
from array import array
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from splitjoin_cli.core.native import kernel
from splitjoin_cli.core.switches import CRC, switched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.core.bytes.base import Buffer

__all__ = ["combine", "crc64", "crc64_each", "decode", "encode", "method", "tagged", "untagged"]

TAG = "crc64nvme:"


def crc64(data: Buffer, previous: int = 0) -> int:
    """The CRC of what ``previous`` was computed over, followed by ``data``."""
    return _functions()[0](data, previous)


def combine(left: int, right: int, right_size: int) -> int:
    """The CRC of two runs of bytes put together, from the CRC of each and the size of the second."""
    return _functions()[1](left, right, right_size)


def crc64_each(data: memoryview, places: Sequence[int], previous: int) -> array[int]:
    """The CRC of each run of bytes between two of some ascending ``places`` in ``data``, behind ``previous``."""
    compiled = kernel()
    if compiled is not None and not switched(CRC):
        return compiled.crc64_each(data, array("q", places), previous)
    function = _functions()[0]
    return array("Q", (function(data[start:end], previous) for start, end in pairwise(places)))


def encode(checksum: int) -> str:
    """As S3 writes it in ``x-amz-checksum-crc64nvme``: base64 of the 8 big-endian bytes."""
    return base64.b64encode(checksum.to_bytes(8, "big")).decode("ascii")


def decode(text: str) -> int:
    """The inverse of ``encode``. Raises ValueError for anything else than 8 bytes."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) != 8:  # noqa: PLR2004 -- 64 bits
        msg = f"not a CRC-64/NVME: {text!r}"
        raise ValueError(msg)
    return int.from_bytes(raw, "big")


def tagged(checksum: int) -> str:
    """As manifests and JSON results write it: ``crc64nvme:BASE64``."""
    return f"{TAG}{encode(checksum)}"


def untagged(text: str) -> int:
    """The inverse of ``tagged``. Raises ValueError for any other text."""
    if not text.startswith(TAG):
        raise ValueError(f"not a tagged CRC-64/NVME: {text!r}")
    return decode(text.removeprefix(TAG))


def method() -> str:
    """By what the CRC is computed here, for people."""
    made_by = str(getattr(_functions()[0], "__module__", ""))
    ways = {"splitjoin_cli.core.native": "the compiled kernel", "splitjoin_cli.core.bytes.crc64_python": "Python"}
    return ways.get(made_by, "awscrt")


@cache
def _functions() -> tuple[Callable[[Buffer, int], int], Callable[[int, int, int], int]]:
    compiled = None if switched(CRC) else kernel()
    if compiled is not None:
        return compiled.crc64, compiled.combine
    from splitjoin_cli.core.bytes import crc64_python  # noqa: PLC0415 -- only where nothing is compiled

    plain = (crc64_python.crc64nvme, crc64_python.combine_crc64nvme)
    if switched(CRC):
        return plain
    try:
        from awscrt.checksums import combine_crc64nvme, crc64nvme  # noqa: PLC0415 -- it takes long to import
    except ImportError:
        return plain
    return crc64nvme, combine_crc64nvme
