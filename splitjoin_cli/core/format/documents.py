"""JSON documents that are read line by line: a head, then one long list, an item to a line; and their values, checked.

A million chunks are written and read without being held, ``grep`` finds one, and the same split is the same bytes.
Standard library only: the worker reads these too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.crc64 import TAG, tagged, untagged
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.any_layout import FoundList, find_list, objects
from splitjoin_cli.core.format.chunk_table import UNKNOWN_CHECKSUM
from splitjoin_cli.core.format.dialects import check_dialect_keys
from splitjoin_cli.core.format.fields import (
    FieldError,
    VersionError,
    as_object,
    bad_field,
    decode_json,
    take,
    take_one_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from splitjoin_cli.core.format.document import Document
    from splitjoin_cli.core.model import Compression

    FastLines = Callable[[bytes, int], int]
    """Takes the lines at a place of some bytes that it knows how to take; the place of the first that it does not."""

VERSION = 1
SECOND_VERSION = 2
"""Of documents that say what a reader of version 1 would get wrong."""
_LIST = "chunks"
_LIST_KEY = b',\n"chunks": [\n'  # a line break is no part of any JSON string, so this stands nowhere else
_LIST_END = b"]}\n"
_BATCH_CHARACTERS = 128 * 1024  # of items written at once
_BLOCK_BYTES = 512 * 1024  # read at once
MAX_HEAD_BYTES = 1024 * 1024
"""All of a document but its list: a value of JSON takes up to 30 times its text's bytes in memory."""
MAX_ITEM_BYTES = 256 * 1024
"""One item of the list: 1,000 chunks of a plan are 60 KB."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# What a damaged file raises on the way to our values: no JSON or UTF-8, a field out of its range, deep nesting.
DAMAGE = (ValueError, TypeError, OverflowError, RecursionError)


class DamagedError(StoreError):
    """A document that was read is none of ours, or not as we write it."""


def damaged(name: str, kind: str, exc: BaseException) -> DamagedError:
    """The error for a document that cannot be read; ``kind`` of it."""
    reason = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
    hint = None
    if isinstance(exc, VersionError):
        hint = "update splitjoin here: a newer release wrote it"
    elif kind == "plan":  # which keeps its name from every split
        import shlex  # noqa: PLC0415 -- a split of a local file has no use for it

        place, _, own = name.rpartition("/")
        left = f"--name {shlex.quote(own.removesuffix('.plan.json'))} --unfinished --force"
        hint = f"remove the unfinished split, then split again: splitjoin rm {shlex.quote(place or '.')}/ {left}"
    return DamagedError(f"{name} holds no {kind} that splitjoin can read: {reason}", hint=hint)


def quoted(value: str) -> str:
    """A text as JSON has it, in its own letters."""
    return json.dumps(value, ensure_ascii=False)


def checksum_text(checksum: int) -> str | None:
    """``crc64nvme:BASE64``; None for UNKNOWN_CHECKSUM."""
    if checksum == UNKNOWN_CHECKSUM:
        return None
    return tagged(checksum)


def checksum_of(text: str | None) -> int | None:
    """The inverse of ``checksum_text``. Raises ValueError for any other text."""
    if text is None:
        return None
    try:
        return untagged(text)
    except ValueError as exc:
        shown = json.dumps(text[:40])
        raise bad_field("checksum", f"expected a checksum like {TAG}BASE64, found {shown}") from exc


def encode_document(head: Mapping[str, object], items: Iterable[str]) -> Iterator[bytes]:
    """``head`` with ``chunks`` as its last key, an item to a line.

    A path whose name is no UTF-8 holds lone surrogates; what backslashreplace makes of them is their JSON escape.
    """
    yield _opening(head)
    batch: list[str] = []
    separator, size = "", 0
    for item in items:
        batch.append(separator + item)
        separator, size = ",\n", size + len(item)
        if size > _BATCH_CHARACTERS:
            yield "".join(batch).encode("utf-8", "backslashreplace")
            batch.clear()
            size = 0
    yield "".join(batch).encode("utf-8", "backslashreplace") + b"\n" + _LIST_END


def encode_blocks(head: Mapping[str, object], blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same of items that are made already, and of what is between them."""
    yield _opening(head)
    yield from blocks
    yield b"\n" + _LIST_END


def _opening(head: Mapping[str, object]) -> bytes:
    lines = [f"{quoted(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    return ("{" + ",\n".join(lines)).encode("utf-8", "backslashreplace") + _LIST_KEY


class Items(Protocol):
    """The list of a document, item by item; those that ``fast`` takes are not among them."""

    def __call__(self, fast: FastLines | None = None) -> Iterator[object]:
        """Begin with the first. Raises ValueError where one is no JSON, or too long."""


def decode_document(document: Document) -> tuple[dict[str, Any], Items]:
    """The head, and the items one by one. A file that another tool laid out anew is read too.

    Memory is bounded by MAX_HEAD_BYTES and MAX_ITEM_BYTES, whatever it holds.
    """
    place, head_bytes = _our_head(document)
    if place < 0 or document.read_at(max(document.size - len(_LIST_END), 0), len(_LIST_END)) != _LIST_END:
        head_bytes, items = _laid_out_anew(document)
    else:

        def items(fast: FastLines | None = None) -> Iterator[object]:
            return _decode_lines(document, place, fast)

    _check_head_size(len(head_bytes))
    head = as_object(decode_json(head_bytes))
    check_version(head)
    if head.pop(_LIST, None):
        raise bad_field(_LIST, "is there twice")
    return head, items


def _our_head(document: Document) -> tuple[int, bytes]:
    """Where the items begin in our own layout, -1 where that is not its layout; and the head as JSON by itself."""
    data = b""
    while len(data) < document.size:
        if len(data) > MAX_HEAD_BYTES:
            return _far_head(document, len(data))
        before = max(len(data) - len(_LIST_KEY), 0)
        more = document.read_at(len(data), _BLOCK_BYTES)
        if not more:
            break
        data += more
        place = data.find(_LIST_KEY, before)
        if place >= 0:
            return place + len(_LIST_KEY), data[:place] + b"}"
    return -1, b""


def _far_head(document: Document, at: int) -> tuple[int, bytes]:
    """The same of a head that is too long; its length is told, and it is not kept."""
    data = b""
    while more := document.read_at(at, _BLOCK_BYTES):
        data = data[-len(_LIST_KEY) :] + more
        at += len(more)
        place = data.find(_LIST_KEY)
        if place >= 0:
            found = at - len(data) + place + 1
            raise FieldError(f"expected at most {MAX_HEAD_BYTES:,} bytes before its chunks, found {found:,}")
    return -1, b""


def decode_head(data: bytes) -> dict[str, Any]:
    """The head alone, of any version, from a document's first bytes. Raises ValueError where it is cut short."""
    place = data.find(_LIST_KEY)
    if place < 0:
        raise FieldError(f"its chunks do not begin within {len(data):,} bytes")
    return as_object(decode_json(data[:place] + b"}"))


def _decode_lines(document: Document, place: int, fast: FastLines | None) -> Iterator[object]:
    """The items of our own layout from ``place`` on, a line each."""
    kept = b""
    while more := document.read_at(place, _BLOCK_BYTES):
        place += len(more)
        block, at = kept + more, 0
        while True:
            if fast is not None:
                at = fast(block, at)
            end = block.find(b"\n", at)
            if end < 0:
                break
            yield from _decode_line(block[at : end + 1])
            at = end + 1
        kept = block[at:]
        if len(kept) > MAX_ITEM_BYTES + len(b",\n"):
            raise bad_field(_LIST, f"expected at most {MAX_ITEM_BYTES:,} bytes a line, found more")


def _decode_line(line: bytes) -> Iterator[object]:
    item = line.rstrip(b",\n")
    if item and line != _LIST_END:
        yield decode_json(_checked_size(item))


def _checked_size(item: bytes) -> bytes:
    if len(item) > MAX_ITEM_BYTES:
        raise bad_field(_LIST, f"expected at most {MAX_ITEM_BYTES:,} bytes a line, found {len(item):,}")
    return item


def _laid_out_anew(document: Document) -> tuple[bytes, Items]:
    """The head with an empty list, and the items one by one, of JSON in any layout."""
    start = len(_BYTE_ORDER_MARK) if document.read_at(0, len(_BYTE_ORDER_MARK)) == _BYTE_ORDER_MARK else 0
    found = find_list(document, start, _LIST, most_bytes=MAX_HEAD_BYTES)
    if found is None:
        if document.size <= MAX_HEAD_BYTES:
            check_version(as_object(decode_json(document.read_at(start, document.size))))
        raise bad_field(_LIST, "is missing")
    _check_head_size(found.opens + 1 - start + document.size - found.closes)
    head = document.read_at(start, found.opens + 1 - start)
    return head + document.read_at(found.closes, document.size - found.closes), _AnyItems(document, found)


def _check_head_size(size: int) -> None:
    if size > MAX_HEAD_BYTES:
        raise FieldError(f"expected at most {MAX_HEAD_BYTES:,} bytes before its chunks, found {size:,}")


class _AnyItems(NamedTuple):
    """Items in any layout; see Items."""

    document: Document
    found: FoundList

    def __call__(self, fast: FastLines | None = None) -> Iterator[object]:  # noqa: ARG002 -- it knows our layout alone
        return map(decode_json, objects(self.document, self.found, _LIST, most_bytes=MAX_ITEM_BYTES))


def check_version(fields: Mapping[str, Any]) -> int:
    """The document's version. Raises VersionError for what a newer release wrote, FieldError for what none did."""
    version = take(fields, "version", int, least=1)
    if version > SECOND_VERSION:
        raise VersionError(f"version: expected {VERSION} or {SECOND_VERSION}, found {version}")
    if version == SECOND_VERSION:
        check_dialect_keys(as_object(fields.get("dialect", {}), "dialect"))
    return version


def take_file_name(fields: Mapping[str, Any], expected: str | None) -> str:
    """A job's name, which no path is; ``expected``: the one under which the document is stored, where that says one."""
    value = take(fields, "file_name", str)
    job = names.parse_file_name(value) if len(value) <= names.MAX_NAME_BYTES else None
    if job is None or job.file_name != value:
        raise bad_field("file_name", f"expected CLIENT_DATE, as in the chunks' names, found {json.dumps(value[:80])}")
    if expected is not None and value != expected:
        raise bad_field("file_name", f"expected {expected}, found {value}")
    return value


def take_compression(fields: Mapping[str, Any]) -> Compression | None:
    """What chunks are stored as."""
    return cast("Compression | None", take_one_of(fields, "compression", names.SUFFIX_OF))
