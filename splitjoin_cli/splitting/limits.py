"""What every way to plan a split asks of its source, and what it says where that is not so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.format.fields import MAX_HEADER_BYTES
from splitjoin_cli.core.units import LARGE_RECORD_BYTES, size_text
from splitjoin_cli.splitting.locate import byte_of, line_of

if TYPE_CHECKING:
    from splitjoin_cli.stores.sources.base import Source

__all__ = [
    "MAX_HEADER_BYTES",
    "empty_source",
    "endless_header",
    "large_warning",
    "no_header_left",
    "oversized_warning",
    "torn_trailer",
]


def empty_source(uri: str) -> BadInputError:
    """There is not even a header."""
    return BadInputError(
        f"{uri} is empty; expected a header or a record", hint="check the export that should have written it"
    )


def no_header_left(uri: str) -> BadInputError:
    """Lines are left out, and nothing comes after them."""
    return BadInputError(
        f"{uri}: the lines that are left out leave no header", hint="check --skip-lines and --skip-trailer"
    )


def endless_header(uri: str, *, quoted: bool) -> BadInputError:
    """The first record is longer than a header may be; ``quoted``: a quote may be why."""
    return BadInputError(
        f"{uri}: the first record does not end within {MAX_HEADER_BYTES >> 20} MiB",
        hint=("check --quotechar and --escapechar; " if quoted else "") + "--no-header if the file has no header",
    )


def torn_trailer(source: Source, at: int) -> BadInputError:
    """The line at ``at``, which is left out, begins inside a record."""
    return BadInputError(
        f"{source.properties.uri}, line {line_of(source, at)} (byte {byte_of(source, at)}): "
        "the trailer that --skip-trailer leaves out begins here, inside a record",
        hint="check --skip-trailer, --quotechar and --escapechar; a file that was cut short ends inside a record too",
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
