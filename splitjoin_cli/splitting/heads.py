"""Reads the heads of manifests and plans where they are stored: a few kilobytes, however many chunks they list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.heads import FIRST_BYTES, MAX_HEAD_BYTES, Head, read_head
from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.names import manifest_name, plan_name
from splitjoin_cli.stores.sinks.base import Condition

if TYPE_CHECKING:
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["SeenHead", "manifest_head", "plan_head"]


class SeenHead(NamedTuple):
    """A head, and the condition that its document is still this one."""

    head: Head
    seen: Condition


def manifest_head(sink: Sink, file_name: str) -> SeenHead | None:
    """The head of a job's manifest; None where there is none. Raises StoreError where it cannot be read."""
    found = _read(sink, manifest_name(file_name), "manifest")
    return found if isinstance(found, SeenHead) else None


def plan_head(sink: Sink, file_name: str) -> SeenHead | Removal | None:
    """The head of a job's plan, or the claim of ``rm`` in its place; None where there is neither. Raises StoreError."""
    return _read(sink, plan_name(file_name), "plan")


def _read(sink: Sink, name: str, kind: Literal["manifest", "plan"]) -> SeenHead | Removal | None:
    """Little first: nearly every head is small."""
    uri = sink.properties.uri + name
    for most in (FIRST_BYTES, MAX_HEAD_BYTES):
        small = sink.read_small(name, most=most)
        if small is None:
            return None
        removal = Removal.of(small.data) if kind == "plan" else None
        if removal is not None:
            return removal
        try:
            return SeenHead(read_head(small.data, uri, kind=kind), Condition(small.validator))
        except StoreError:
            if len(small.data) < most or most == MAX_HEAD_BYTES:
                raise
    return None
