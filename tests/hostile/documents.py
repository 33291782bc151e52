"""Makes hostile documents: right ones of which a value, a key or the layout is replaced by anything."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.core.format.runs import digest_options
from tests.splitting.places import FILE_NAME, MANIFEST, stored_split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.format.manifest import Manifest

HEADER = b"id,note\n"
CHUNKS = [[b"1,a\n", b"2,b\n"], [b"3,c\n"], [b"4,d\n"]]
NAMES = tuple(f"{FILE_NAME}-{number}-3.csv" for number in (1, 2, 3))
PLAN = f"{FILE_NAME}.plan.json"
SECRET = b"id,note\nsecret of the neighbour\n"
"""What lies outside the place; no command may read it."""

Path = tuple[str | int, ...]

HOSTILE_TEXTS = (
    *("", "\0", "\x1b[2J\x1b]0;owned\x07", "\u202egnp.exe", "a\nb", "\r", "\x9b31m", "\ud800", "\udc9b", "x" * 20_000),
    *("../other/name_1", "/etc/passwd_1", "..", ".", "a/b_1", "a\\b_1", "\u2028", "acme_20240131\0", "ACME_20240131"),
    *("rot13", "utf-16", "utf-7", "base64", "idna", "no-such-encoding", "undefined", "\0", "cp037", "zlib"),
    *("crc64nvme:", "crc64nvme:AAAA", "-1", "0", "1e999", "null", "9" * 400, "acme#1_20240131", "NaN"),
)
HOSTILE_NUMBERS = (
    *(-1, 0, 1, 2, 255, 2**31, 2**32, 3_000_000_000, 10_000_001, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, -(10**30)),
    *(10**400, 0.5, 1.0, -0.0, 1e308, float("inf"), float("nan")),
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(HOSTILE_TEXTS),
    st.sampled_from(HOSTILE_NUMBERS),
    st.sampled_from([None, True, False, [], {}, [[]], [None] * 3, {"a": 1}, [1, 2, 3], [{}]]),
    st.integers(),
    st.text(st.characters(), max_size=20),
    st.floats(),
)


def directory_objects() -> dict[str, bytes]:
    """A whole split, as it lies in a directory."""
    return dict(stored_split(HEADER, CHUNKS).objects)


def right_manifest() -> dict[str, Any]:
    """Its manifest, decoded."""
    document: dict[str, Any] = json.loads(directory_objects()[MANIFEST])
    return document


def plan_of(manifest: Manifest) -> dict[str, Any]:
    """The plan that stood while it was written."""
    plan = PlanFile(
        file_name=manifest.file_name,
        run_id=manifest.run_id,
        generation=manifest.generation,
        source=manifest.source,
        validator="v",
        options_digest=digest_options({}),
        dialect=manifest.dialect,
        compression=manifest.compression,
        header_lines=manifest.header_lines,
        header_checksum=1,
        chunks=manifest.chunks,
    )
    document: dict[str, Any] = json.loads(plan.to_bytes())
    return document


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Where each value of a document is."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from paths(inner, (*path, place))


def put(document: dict[str, Any], path: Path, value: object) -> dict[str, Any]:
    """The document with another value in one place; ``...`` takes it out."""
    changed = copy.deepcopy(document)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return changed


@st.composite
def changed_documents(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A document with one to three of its values replaced or taken out."""
    for _ in range(draw(st.integers(1, 3))):
        places = sorted(paths(document), key=repr)
        if not places:
            break
        path = draw(st.sampled_from(places))
        document = put(document, path, draw(VALUES | st.just(...)))
    return document


@st.composite
def hostile_bytes(draw: st.DrawFn, document: dict[str, Any]) -> bytes:
    """The file of a changed document: laid out as ours, or anew; cut, doubled, or with what is no UTF-8 in it."""
    changed = draw(changed_documents(document))
    data: bytes = draw(st.sampled_from([our_layout, anew, compact]))(changed)
    match draw(st.sampled_from(["whole", "whole", "whole", "whole", "cut", "byte", "twice", "deep"])):
        case "cut":
            return data[: draw(st.integers(0, len(data)))]
        case "byte":
            place = draw(st.integers(0, len(data)))
            return (
                data[:place]
                + draw(st.sampled_from([b"\xff", b"\0", b"\x1b", b'"', b"\\", b"{", b"]", b","]))
                + data[place:]
            )
        case "twice":
            key = draw(st.sampled_from(sorted(document)))
            return re.sub(rb"^\{", b'{"%s": %s, ' % (key.encode(), json.dumps(document[key]).encode()), data, count=1)
        case "deep":
            return data.replace(b"null", b"[" * 50_000 + b"]" * 50_000, 1)
    return data


def _dumps(value: object) -> bytes:
    return json.dumps(value).encode("ascii")


def our_layout(document: dict[str, Any]) -> bytes:
    """A line for each chunk, as splitjoin writes it; a list of chunks that is none goes inline."""
    chunks = document.get("chunks")
    if not isinstance(chunks, list):
        return _dumps(document)
    head = {key: value for key, value in document.items() if key != "chunks"}
    lines = b",\n".join(_dumps(chunk) for chunk in chunks)
    return _dumps(head)[:-1] + b',\n"chunks": [\n' + lines + b"\n]}\n"


def anew(document: dict[str, Any]) -> bytes:
    """As another tool would write it."""
    return json.dumps(document, indent=1).encode("ascii")


def compact(document: dict[str, Any]) -> bytes:
    """On one line, with the keys in another order."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
