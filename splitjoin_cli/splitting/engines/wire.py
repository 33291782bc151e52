"""Units and answers as JSON text, and back. What comes back says which unit it answers, and which release ran it."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from base64 import b64decode, b64encode
from dataclasses import fields as fields_of
from functools import cache
from itertools import accumulate, chain
from operator import sub
from typing import TYPE_CHECKING, Any, get_args, overload
from zlib import compress, decompress

from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.model import ByteRange, Dialect, StoredObject
from splitjoin_cli.splitting.engines.base import (
    Answer,
    CutUnit,
    Failed,
    Merged,
    MergeUnit,
    PartSpec,
    Pieces,
    Scanned,
    ScanUnit,
    Stored,
    StoreUnit,
    Unit,
    Verified,
    VerifyUnit,
)
from splitjoin_cli.splitting.engines.specs import ChunkSpec, HeaderSpec, Reach, SinkSpec, SourceSpec, StoredSpec
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.lines import Skipped, Skips
from splitjoin_cli.splitting.records.outcome import Defect, Kind, Outcome
from splitjoin_cli.splitting.records.stairs import Stairs
from splitjoin_cli.splitting.records.targets import Targets
from splitjoin_cli.splitting.stored.bodies import BodyFacts
from splitjoin_cli.splitting.stored.judge import ChunkFacts, Judged, SetFacts
from splitjoin_cli.splitting.stored.problems import Problem
from splitjoin_cli.splitting.survey import Found
from splitjoin_cli.stores.sinks.base import Condition

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UNREADABLE", "OtherReleaseError", "answer_of", "answer_text", "release", "unit_of", "unit_text"]

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What is raised for a text that is no unit, or no answer, whatever it is instead."""
_BYTES = "latin-1"
"""Delimiters and letters are bytes: each is a character of JSON's text."""
_WORD = re.compile(r"\w+")


class OtherReleaseError(ValueError):
    """The text is of another release of splitjoin; ``found`` says which."""

    def __init__(self, found: object) -> None:
        """``found``: as the text has it."""
        super().__init__(f"splitjoin {found}")
        self.found = str(found)


def release() -> str:
    """What coordinator and worker must have in common."""
    version: str = sys.modules[
        __name__.partition(".")[0]
    ].__version__  # the root is above this layer, and always loaded
    return version


@cache
def protocol() -> str:
    """A mark of how units, answers and all values in them are written: two builds of one release may differ in it."""
    shapes: dict[type, list[tuple[str, str]]] = {}
    found: list[Any] = [*get_args(Unit), *get_args(Answer)]
    while found:
        kind = found.pop()
        if isinstance(kind, type) and kind not in shapes and hasattr(kind, "__annotations__"):
            shapes[kind] = [(name, _text_of(said)) for name, said in kind.__annotations__.items()]
            found += [globals().get(word) for _, said in shapes[kind] for word in _WORD.findall(said)]
    shape = sorted((kind.__name__, fields) for kind, fields in shapes.items())
    return hashlib.blake2b(repr(shape).encode(), digest_size=8).hexdigest()


def _text_of(annotation: Any) -> str:  # noqa: ANN401 -- typing has no word for it
    """As it stands in the source; a NamedTuple's is wrapped."""
    return str(getattr(annotation, "__forward_arg__", annotation))


def unit_text(unit: Unit) -> str:
    """A unit as JSON. The inverse of ``unit_of``."""
    fields = _plain(unit)
    fields["unit"] = _NAMES[type(unit)]
    if isinstance(unit, ScanUnit | CutUnit):
        fields["alphabet"] = [unit.alphabet.delimiter.decode(_BYTES), *unit.alphabet[1:]]
    if isinstance(unit, ScanUnit):
        fields["letters"] = unit.letters.decode(_BYTES)
    return _encode(fields)


def unit_of(text: str) -> Unit:
    """The unit of a text. Raises OtherReleaseError, and what UNREADABLE has for what is none."""
    fields: dict[str, Any] = json.loads(text)
    if fields["version"] != release():
        raise OtherReleaseError(fields["version"])
    kind = _UNITS.get(fields.pop("unit"))
    if kind is None:
        raise ValueError("not a unit")
    return kind(fields)


def _scan_unit(fields: dict[str, Any]) -> ScanUnit:
    own = _records(fields) | {"letters": fields["letters"].encode(_BYTES)}
    return ScanUnit(**(fields | _ranged(fields) | own))


def _cut_unit(fields: dict[str, Any]) -> CutUnit:
    return CutUnit(**(fields | _ranged(fields) | _records(fields)))


def _ranged(fields: dict[str, Any]) -> dict[str, Any]:
    """What a range of the source is named by."""
    header = fields["header"]
    return {
        "source": _source(fields["source"]),
        "range": ByteRange(**fields["range"]),
        "header": None if header is None else HeaderSpec(*header),
    }


def _records(fields: dict[str, Any]) -> dict[str, Any]:
    """What records are, and how many of them a chunk should have."""
    delimiter, *others = fields["alphabet"]
    targets, skips = fields["targets"], fields["skips"]
    return {
        "alphabet": Alphabet(delimiter.encode(_BYTES), *others),
        "targets": None if targets is None else Targets(*targets),
        "skips": None if skips is None else Skips(*skips),
    }


def _store_unit(fields: dict[str, Any]) -> StoreUnit:
    own = {
        "source": _source(fields["source"]),
        "sink": _sink(fields["sink"]),
        "header": HeaderSpec(*fields["header"]),
        "chunks": tuple(_chunk(*chunk) for chunk in fields["chunks"]),
    }
    return StoreUnit(**(fields | own))


def _chunk(*fields: Any) -> ChunkSpec:  # noqa: ANN401 -- of JSON
    chunk = ChunkSpec(*fields)
    return chunk._replace(when=Condition(*chunk.when))


def _verify_unit(fields: dict[str, Any]) -> VerifyUnit:
    return VerifyUnit(
        version=fields["version"],
        place=_stored(fields["place"]),
        source=_source(fields["source"]),
        facts=_facts(fields["facts"]),
        chunks=tuple(ChunkFacts(*chunk) for chunk in fields["chunks"]),
    )


def _merge_unit(fields: dict[str, Any]) -> MergeUnit:
    part = fields["part"]
    own = {
        "place": _stored(fields["place"]),
        "header": HeaderSpec(*fields["header"]),
        "chunks": tuple(BodyFacts(*chunk) for chunk in fields["chunks"]),
        "part": PartSpec(**(part | {"sink": None if part["sink"] is None else _sink(part["sink"])})),
    }
    return MergeUnit(**(fields | own))


_NAMES: dict[type[Unit], str] = {
    CutUnit: "cut",
    ScanUnit: "scan",
    StoreUnit: "store",
    VerifyUnit: "verify",
    MergeUnit: "merge",
}
_UNITS: dict[str, Callable[[dict[str, Any]], Unit]] = {
    "cut": _cut_unit,
    "scan": _scan_unit,
    "store": _store_unit,
    "verify": _verify_unit,
    "merge": _merge_unit,
}


@overload
def _source(fields: dict[str, Any]) -> SourceSpec: ...
@overload
def _source(fields: dict[str, Any] | None) -> SourceSpec | None: ...
def _source(fields: dict[str, Any] | None) -> SourceSpec | None:
    return None if fields is None else SourceSpec(**(fields | {"reach": Reach(*fields["reach"])}))


def _stored(fields: dict[str, Any]) -> StoredSpec:
    return StoredSpec(fields["uri"], Reach(*fields["reach"]))


def _facts(fields: dict[str, Any]) -> SetFacts:
    dialect = fields["dialect"]
    nulls = None if dialect["nulls"] is None else tuple(dialect["nulls"])
    return SetFacts(**(fields | {"dialect": Dialect(**(dialect | {"nulls": nulls}))}))


def _sink(fields: dict[str, Any]) -> SinkSpec:
    objects = fields["objects"]
    tags = tuple((str(key), str(value)) for key, value in objects["tags"])
    return SinkSpec(
        **(fields | {"reach": Reach(*fields["reach"]), "objects": ObjectOptions(**(objects | {"tags": tags}))})
    )


def answer_text(answer: Answer, unit: str) -> str:
    """An answer to the unit of that text, as JSON. The inverse of ``answer_of``."""
    fields = _plain(answer)
    if isinstance(answer, Scanned) and answer.stairs is not None:
        fields["stairs"] = [_packed(column) for column in answer.stairs]
    fields |= {"answer": type(answer).__name__, "version": release(), "unit": _mark(unit)}
    return _encode(fields)


def answer_of(text: str, unit: str) -> Answer:
    """The answer to a unit. Raises OtherReleaseError, and what UNREADABLE has for what does not answer it."""
    fields: dict[str, Any] = json.loads(text)
    if fields["version"] != release():
        raise OtherReleaseError(fields["version"])
    if fields.pop("unit") != _mark(unit):
        msg = "it answers another unit"
        raise ValueError(msg)
    del fields["version"]
    kind = _ANSWERS.get(fields.pop("answer"))
    if kind is None:
        raise ValueError("not an answer")
    return kind(fields)


def _scanned(fields: dict[str, Any]) -> Scanned:
    found = {name: Found(*fields[name]) for name in ("large", "blanks")}
    invalid, marks, lines = (Found(*one) for one in fields["seen"])
    stairs = None if fields["stairs"] is None else Stairs(*map(_unpacked, fields["stairs"]))
    skipped = None if fields["skipped"] is None else Skipped(*fields["skipped"])
    own = {"outcome": _outcome(fields["outcome"]), "seen": (invalid, marks, lines), "stairs": stairs}
    return Scanned(**(fields | found | own | {"skipped": skipped}))


def _pieces(fields: dict[str, Any]) -> Pieces:
    columns = {name: tuple(fields[name]) for name in ("ends", "rows", "checksums")}
    return Pieces(**(fields | columns | {"excess": tuple((number, more) for number, more in fields["excess"])}))


def _packed(column: list[int]) -> str:
    """Ascending numbers, in little room: neighbours of about the same distance take next to none."""
    steps = map(sub, column, chain((0,), column))
    return b64encode(compress(",".join(map(str, steps)).encode(), 1)).decode()


def _unpacked(text: str) -> list[int]:
    """The inverse of ``_packed``."""
    return list(accumulate(map(int, decompress(b64decode(text)).decode().split(","))))


def _judged(number: int, header: int | None, records: int | None, problems: list[Any]) -> Judged:
    return Judged(number, header, records, tuple(Problem(**problem) for problem in problems))


def _stored_chunk(fields: dict[str, Any]) -> StoredObject | Failed:
    return Failed(**fields) if "code" in fields else StoredObject(**fields)


_ANSWERS: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "Pieces": _pieces,
    "Scanned": _scanned,
    "Stored": lambda fields: Stored(tuple(_stored_chunk(chunk) for chunk in fields["chunks"]), fields["refused"]),
    "Verified": lambda fields: Verified(tuple(_judged(*chunk) for chunk in fields["chunks"])),
    "Merged": lambda fields: Merged(**fields),
    "Failed": lambda fields: Failed(**fields),
}


def _outcome(fields: list[Any] | None) -> Outcome | None:
    if fields is None:
        return None
    defect = None if fields[-1] is None else Defect(fields[-1][0], Kind(fields[-1][1]))
    return Outcome(*fields)._replace(defect=defect)


def _plain(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- of units, answers and what they hold: any dataclass
    """The fields of a dataclass, those of its values still to be taken: no copies, since a split has many units."""
    return {name: getattr(value, name) for name in _names(value.__class__)}


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields_of(kind))


_encode = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def _mark(unit: str) -> str:
    """What an answer says of its unit, so that none is taken for another's."""
    return hashlib.blake2b(unit.encode(), digest_size=8).hexdigest()
