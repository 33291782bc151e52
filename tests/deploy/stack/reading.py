"""Reads a template as CloudFormation does, as far as tests look: its statements and the strings in its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Document = dict[str, Any]


def statements(document: Document) -> Iterator[tuple[str, Document]]:
    """Each statement of each policy, whether its condition holds or not, under its resource's name and its Sid."""
    for name, resource in document["Resources"].items():
        for one in _statements(resource.get("Properties", {})):
            yield f"{name}.{one['Sid']}", one


def _statements(value: object) -> Iterator[Document]:
    if isinstance(value, list):
        for item in value:
            yield from _statements(item)
    elif isinstance(value, dict):
        if "Effect" in value:
            yield value
        else:
            for item in value.values():
                yield from _statements(item)


def strings(value: object) -> Iterator[str]:
    """Each string in a value, also within functions; the names that functions refer to are none that a policy has."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
