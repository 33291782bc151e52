"""Holds the documents that commands print against the JSON Schemas of docs/reference/schemas."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMAS = Path(__file__).resolve().parents[1] / "docs" / "reference" / "schemas"


@cache
def schema(name: str) -> Draft202012Validator:
    """The validator of one document."""
    found = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found, registry=_registry())


@cache
def _registry() -> Registry[Any]:
    """All schemas by their file names, since one may refer to another."""
    found = ((path.name, json.loads(path.read_text())) for path in SCHEMAS.glob("*.json"))
    return Registry().with_resources((name, DRAFT202012.create_resource(one)) for name, one in found)


def hold(name: str, document: Any) -> None:  # noqa: ANN401 -- a document may be anything
    """The document is of the schema; an error names the field."""
    errors = [part for one in schema(name).iter_errors(document) for part in (one.context or [one])]
    problems = [f"{'/'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in errors]
    assert problems == [], f"{name}: {problems}"


def hold_printed(arguments: Sequence[str], code: int, text: str) -> None:
    """What a command printed with --json is the command's document, or the error's."""
    if not arguments or "--json" not in arguments or code in {-9, -15} or "--help" in arguments:
        return
    document = json.loads(text)
    command = next((word for word in arguments if (SCHEMAS / f"{word}.json").exists()), None)
    alone = isinstance(document, dict) and set(document) == {"error"}
    if alone:
        hold("error", document)
    elif isinstance(document, dict) and "splits" in document:
        hold("splits", document)
    elif command is not None:
        hold(command, document)
