"""What ``rm`` stores in a plan's place: it has the name until all that lies under it is gone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.fields import as_object, decode_json, take, take_code

if TYPE_CHECKING:
    from splitjoin_cli.core.format.document import Document

__all__ = ["Removal", "removed"]

VERSION = 2
"""Releases that know no ``rm`` refuse such a plan as one of a newer release: they must not take the name."""
MOST_BYTES = 4096
_MARK = b'"removal"'


@dataclass(frozen=True, slots=True)
class Removal:
    """One ``rm`` of a job. ``token``: 32 hexadecimal digits of its own, by which it knows its claim from another's."""

    file_name: str
    token: str

    def to_bytes(self) -> bytes:
        """The document."""
        fields = {"version": VERSION, "file_name": self.file_name, "removal": self.token}
        return json.dumps(fields, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def in_document(cls, document: Document) -> Removal | None:
        """The same of a document that is not in memory."""
        return None if document.size > MOST_BYTES else cls.of(document.read_at(0, MOST_BYTES))

    @classmethod
    def of(cls, data: bytes) -> Removal | None:
        """The removal that a plan's document is; None for any other document."""
        if len(data) > MOST_BYTES or _MARK not in data:
            return None
        try:
            fields = as_object(decode_json(data))
            if take(fields, "version", int) != VERSION:
                return None
            return cls(take(fields, "file_name", str), take_code(fields, "removal"))
        except ValueError:
            return None


def removed(name: str) -> StoreError:
    """The error of one that needs the plan, and finds that ``rm`` has the name."""
    return StoreError(
        f"{name} says that splitjoin rm removes this split",
        hint="wait for it, or run the same rm again if it was killed",
    )
