"""What a manifest and a plan both say of a split, written and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypedDict

from splitjoin_cli.core.format.dialects import dialect_of, stored_dialect
from splitjoin_cli.core.format.documents import SECOND_VERSION, VERSION, take_compression, take_file_name
from splitjoin_cli.core.format.fields import MAX_HEADER_BYTES, take, take_code, take_or_none, take_text, take_texts
from splitjoin_cli.core.format.left_out import LeftOut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.model import Compression, Dialect

__all__ = [
    "Described",
    "SourceIdentity",
    "form_fields",
    "identity_fields",
    "or_null",
    "source_fields",
    "take_body_start",
    "take_common",
    "version_of",
]


class SourceIdentity(NamedTuple):
    """What was split. ``uri`` holds no user, password or query; ``stored_bytes`` is ``None`` where nobody says."""

    uri: str
    stored_bytes: int | None
    fingerprint: str


class Described(Protocol):
    """A Manifest or a PlanFile: see Manifest."""

    @property
    def file_name(self) -> str:
        """The job's."""

    @property
    def run_id(self) -> str:
        """The run's."""

    @property
    def generation(self) -> int:
        """The run's."""

    @property
    def dialect(self) -> Dialect:
        """Of source and chunks."""

    @property
    def compression(self) -> Compression | None:
        """Of the chunks."""

    @property
    def header_start(self) -> int:
        """Where the header begins."""

    @property
    def header_bytes(self) -> int:
        """Its size."""

    @property
    def header_lines(self) -> int:
        """Its physical lines."""

    @property
    def ruler_bytes(self) -> int:
        """Of the line under it that was left out."""

    @property
    def left_out(self) -> LeftOut | None:
        """What is in no chunk, or no record."""


def identity_fields(split: Described, version: int) -> dict[str, object]:
    """Whose the document is."""
    return {
        "version": version,
        "file_name": split.file_name,
        "run_id": split.run_id,
        "generation": split.generation,
    }


def source_fields(source: SourceIdentity) -> dict[str, object]:
    """What was split."""
    return {"uri": source.uri, "bytes": source.stored_bytes, "fingerprint": source.fingerprint}


def version_of(split: Described, *, mended: bool = False) -> int:
    """2 where a reader of version 1 alone would get something wrong."""
    later = mended or split.left_out is not None or split.dialect.needs_second_version
    return SECOND_VERSION if later else VERSION


def form_fields(split: Described, version: int) -> dict[str, object]:
    """How the chunks are written, and where the header is."""
    return {
        "dialect": stored_dialect(split.dialect, version),
        "compression": split.compression,
        **({"header_start": split.header_start} if split.header_start else {}),
        "header_bytes": split.header_bytes,
        "header_lines": split.header_lines,
        **({"ruler_bytes": split.ruler_bytes} if split.ruler_bytes else {}),
        **({} if split.left_out is None else {"left_out": split.left_out.to_json()}),
    }


class Common(TypedDict):
    """What a manifest and a plan both have, beside their chunks."""

    file_name: str
    run_id: str
    generation: int
    source: SourceIdentity
    dialect: Dialect
    compression: Compression | None
    header_lines: int
    header_start: int
    ruler_bytes: int
    left_out: LeftOut | None
    warnings: tuple[str, ...]


def take_common(head: Mapping[str, Any], file_name: str | None) -> Common:
    """What both have, of a document's head. Raises FieldError, StoreError."""
    source = take(head, "source", dict)
    version = head["version"]
    return Common(
        file_name=take_file_name(head, file_name),
        run_id=take_code(head, "run_id"),
        generation=take(head, "generation", int, least=1),
        source=SourceIdentity(
            take_text(source, "uri", within="source.", path=True),
            take_or_none(source, "bytes", int, within="source."),
            take_text(source, "fingerprint", within="source."),
        ),
        dialect=dialect_of(take(head, "dialect", dict), version),
        compression=take_compression(head),
        header_lines=take(head, "header_lines", int, most=MAX_HEADER_BYTES),
        header_start=_later_bytes(head, "header_start"),
        ruler_bytes=_later_bytes(head, "ruler_bytes"),
        left_out=LeftOut.of(head["left_out"])
        if version == SECOND_VERSION and head.get("left_out") is not None
        else None,
        warnings=take_texts(head, "warnings"),
    )


def _later_bytes(head: Mapping[str, Any], key: str) -> int:
    """A position or size that version 2 knows; 0 where it is not there."""
    if head["version"] != SECOND_VERSION or key not in head:
        return 0
    return take(head, key, int)


def take_body_start(head: Mapping[str, Any]) -> int:
    """Where the body begins in the source."""
    left = _later_bytes(head, "header_start") + _later_bytes(head, "ruler_bytes")
    return left + take(head, "header_bytes", int, most=MAX_HEADER_BYTES)


def or_null(value: int | None) -> int | str:
    """A number for a message."""
    return "null" if value is None else value
