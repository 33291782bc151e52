"""What every way to plan a split asks of its source, and what it says where that is not so."""

from __future__ import annotations

from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.format.fields import MAX_HEADER_BYTES
from splitjoin_cli.core.units import LARGE_RECORD_BYTES, size_text

__all__ = ["MAX_HEADER_BYTES", "empty_source", "endless_header", "large_warning", "oversized_warning"]


def empty_source(uri: str) -> BadInputError:
    """There is not even a header."""
    return BadInputError(
        f"{uri} is empty; expected a header or a record", hint="check the export that should have written it"
    )


def endless_header(uri: str, *, quoted: bool) -> BadInputError:
    """The first record is longer than a header may be; ``quoted``: a quote may be why."""
    return BadInputError(
        f"{uri}: the first record does not end within {MAX_HEADER_BYTES >> 20} MiB",
        hint=("check --quotechar and --escapechar; " if quoted else "") + "--no-header if the file has no header",
    )


def oversized_warning(records: int) -> str:
    """That ``records`` (at least 1) are larger than a chunk may be."""
    if records == 1:
        return "1 record is larger than the chunk size; it is alone in its chunk"
    return f"{records} records are larger than the chunk size; each is alone in its chunk"


def large_warning(records: int, line: int) -> str:
    """That ``records`` (at least 1), the first of which begins at ``line``, are more than loaders take unasked."""
    most = size_text(LARGE_RECORD_BYTES)
    if records == 1:
        return f"1 record is larger than {most} (line {line}): a worker loads it only with a larger --max-record"
    return (
        f"{records} records are larger than {most} (the first is at line {line}):"
        " a worker loads them only with a larger --max-record"
    )
