"""JSON documents that are read line by line: a head, then one long list, an item to a line; and their values, checked.

A million chunks are written and read without being held, ``grep`` finds one, and the same split is the same bytes.
Standard library only: the worker reads these too.
"""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any, TypeVar, cast

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.chunk_table import UNKNOWN_CHECKSUM
from splitjoin_cli.core.model import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VERSION = 1
_CHECKSUM_TAG = "crc64nvme:"
_LIST_KEY = b',\n"chunks": [\n'  # a line break is no part of any JSON string, so this stands nowhere else
_LIST_END = b"]}\n"
_BATCH = 1000  # items written at once

T = TypeVar("T")


# What a damaged file raises on the way to our values: no JSON or UTF-8, numbers beyond 64 bits, deep nesting.
DAMAGE = (ValueError, TypeError, OverflowError, RecursionError)


def damaged(name: str, kind: str, exc: BaseException) -> StoreError:
    """The error for a document that cannot be read; ``kind`` of it."""
    return StoreError(f"{name} holds no {kind} that splitjoin can read: {exc}")


def quoted(value: str) -> str:
    """A text as JSON has it, in its own letters."""
    return json.dumps(value, ensure_ascii=False)


def checksum_text(checksum: int) -> str | None:
    """``crc64nvme:BASE64``; None for UNKNOWN_CHECKSUM."""
    if checksum == UNKNOWN_CHECKSUM:
        return None
    return _CHECKSUM_TAG + base64.b64encode(checksum.to_bytes(8, "big")).decode("ascii")


def checksum_of(text: str | None) -> int | None:
    """The inverse of ``checksum_text``. Raises ValueError for any other text."""
    if text is None:
        return None
    raw = base64.b64decode(text.removeprefix(_CHECKSUM_TAG), validate=True)
    if not text.startswith(_CHECKSUM_TAG) or len(raw) != 8:  # noqa: PLR2004 -- 64 bits
        msg = f"expected a checksum like {_CHECKSUM_TAG}BASE64, found {text!r}"
        raise ValueError(msg)
    return int.from_bytes(raw, "big")


def encode_document(head: Mapping[str, object], items: Iterable[str]) -> Iterator[bytes]:
    """``head`` with ``chunks`` as its last key, an item to a line.

    A path whose name is no UTF-8 holds lone surrogates; what backslashreplace makes of them is their JSON escape.
    """
    lines = [f"{quoted(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    yield ("{" + ",\n".join(lines)).encode("utf-8", "backslashreplace") + _LIST_KEY
    batch: list[str] = []
    separator = ""
    for item in items:
        batch.append(separator + item)
        separator = ",\n"
        if len(batch) == _BATCH:
            yield "".join(batch).encode("utf-8", "backslashreplace")
            batch.clear()
    yield "".join(batch).encode("utf-8", "backslashreplace") + b"\n" + _LIST_END


def decode_document(data: bytes) -> tuple[dict[str, Any], Iterator[object]]:
    """The head, and the items one by one. A file that another tool laid out anew is read whole."""
    place = data.find(_LIST_KEY)
    if place < 0 or not data.endswith(_LIST_END):
        head = as_object(json.loads(data))
        items: Iterator[object] = iter(take(head, "chunks", list))
    else:
        head = as_object(json.loads(data[:place] + b"}"))
        items = _decode_lines(data, place + len(_LIST_KEY))
    check_version(head)
    return head, items


def _decode_lines(data: bytes, place: int) -> Iterator[object]:
    lines = io.BytesIO(data)  # shares the bytes
    lines.seek(place)
    for line in lines:
        item = line.rstrip(b",\n")
        if item and line != _LIST_END:
            yield json.loads(item)


def check_version(fields: Mapping[str, Any]) -> None:
    """Raises ValueError for what another release wrote."""
    version = take(fields, "version", int)
    if version != VERSION:
        msg = f"expected version {VERSION}, found {version}; another release of splitjoin wrote it"
        raise ValueError(msg)


def as_object(value: object) -> dict[str, Any]:
    """Raises ValueError for anything but a JSON object."""
    if not isinstance(value, dict):
        msg = f"expected a JSON object, found {type(value).__name__}"
        raise ValueError(msg)  # noqa: TRY004 -- damage of a file, not of a call
    return value


def take(fields: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """A field of that kind, not negative. Raises ValueError where it is missing or something else."""
    value = fields.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        msg = f"expected {key} to be {kind.__name__}, found {json.dumps(value)[:60]}"
        raise ValueError(msg)
    if isinstance(value, int) and value < 0:
        msg = f"expected {key} not to be negative, found {value}"
        raise ValueError(msg)
    return value


def take_or_none(fields: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    """The same; None where it is null."""
    if key in fields and fields[key] is None:
        return None
    return take(fields, key, kind)


def take_texts(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(str(text) for text in take(fields, key, list))


def dialect_of(fields: dict[str, Any]) -> Dialect:
    """The inverse of ``dialect_fields``. Raises ValueError."""
    line_end = take_or_none(fields, "line_end", str)
    if line_end not in ("\n", "\r\n", "mixed", None):
        msg = f"expected line_end to be a line end or mixed, found {line_end!r}"
        raise ValueError(msg)
    return Dialect(
        delimiter=take(fields, "delimiter", str),
        quotechar=take_or_none(fields, "quotechar", str),
        escapechar=take_or_none(fields, "escapechar", str),
        header=take(fields, "header", bool),
        line_end=cast("Any", line_end),
        encoding=take(fields, "encoding", str),
    )


def dialect_fields(dialect: Dialect) -> dict[str, str | bool | None]:
    """A dialect as results and manifests write it."""
    return {
        "delimiter": dialect.delimiter,
        "quotechar": dialect.quotechar,
        "escapechar": dialect.escapechar,
        "header": dialect.header,
        "line_end": dialect.line_end,
        "encoding": dialect.encoding,
    }
