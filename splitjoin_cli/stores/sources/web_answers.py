"""What a web server's answers say of a file, and how they are asked for: common to passes and to ranges.

RFC 9110: 8.8 (validators), 14.4 (Content-Range).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.stores.sources.resumed import AGAIN, changed
from splitjoin_cli.stores.sources.url import missing_package

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NODES",
    "TIMEOUTS_SECONDS",
    "Version",
    "check_coding",
    "coding_of",
    "length_of",
    "new_session",
    "refused",
    "require_same",
    "required_total",
]

TIMEOUTS_SECONDS = (30.0, 120.0)  # to connect, and between two reads
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_LATER = frozenset({429, *range(500, 600)})
_READABLE_CODINGS = frozenset({"", "gzip", "x-gzip", "zstd"})
"""What is undone by the bytes' own magic, whoever packed them; another coding would be taken for text."""
NODES = (
    "if the file is still the same, the server has several nodes, and each sends an ETag of its own: fetch the file "
    "with a program such as curl and split that, or have all nodes send the same ETag (Apache: FileETag MTime Size)"
)
"""What helps where only the ETag is another one. With INode, nodes differ (Apache HTTP Server, core, FileETag)."""
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", re.ASCII)


class Version(NamedTuple):
    """What an answer says of the whole file; None where it says nothing."""

    etag: str | None
    last_modified: str | None
    size: int | None
    date: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str], size: int | None) -> Version:
        """By an answer's headers. ``size``: as it says it."""
        return cls(headers.get("ETag"), headers.get("Last-Modified"), size, headers.get("Date"))

    @property
    def strong(self) -> tuple[str, str] | None:
        """The header, and its value, that no other version shares.

        A date is one where the answer was made a second or more after the file was (RFC 9110 8.8.2.2): the file may
        change again within the second that is told, and not after it.
        """
        if self.etag is not None and not self.etag.startswith("W/"):
            return "ETag", self.etag
        if self.last_modified is not None and _is_older(self.last_modified, self.date):
            return "Last-Modified", self.last_modified
        return None

    def difference(self, other: Version) -> str | None:
        """What both say, and differently; None where they agree."""
        told = (
            ("ETag", _weak(self.etag), _weak(other.etag), self.etag, other.etag),
            ("Last-Modified", *(self.last_modified, other.last_modified) * 2),
            ("Content-Length", *(self.size, other.size) * 2),
        )
        apart = [
            f"{name} was {was}, is {now}" for name, one, two, was, now in told if None not in (one, two) and one != two
        ]
        return ", ".join(apart) or None

    def is_alike(self, other: Version) -> bool:
        """Whether all but the ETag is told and the same, so that another node of the server may have answered."""
        told = self.last_modified is not None and self.size is not None
        return told and (self.last_modified, self.size) == (other.last_modified, other.size)

    def repeats(self, first: Version) -> bool:
        """Whether this says all that ``first`` said of the file."""
        return all(mine is not None for mine, theirs in zip(self[:3], first[:3], strict=True) if theirs is not None)


def _weak(etag: str | None) -> str | None:
    return None if etag is None else etag.removeprefix("W/")


def _is_older(earlier: str, later: str | None) -> bool:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 -- comes with requests, which is slow to import

    if later is None:
        return False
    try:
        return (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds() >= 1
    except (TypeError, ValueError):  # no dates; TypeError: one with a time zone, one without
        return False


def require_same(uri: str, first: Version, now: Version) -> None:
    """Raise SourceChangedError where an answer says other things of the file than the first one did."""
    difference = first.difference(now)
    if difference is not None:
        raise changed(uri, difference, f"{AGAIN}; {NODES}" if first.is_alike(now) else AGAIN)


def length_of(headers: Mapping[str, str]) -> int | None:
    """The bytes that an answer says it has."""
    length = headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def required_total(uri: str, content_range: str, position: int | None, size: int | None) -> int | None:
    """The file's size in a Content-Range. Raises SourceChangedError where start or size are not what they must be.

    ``position``: the start that was asked for, None where the range was refused. ``size``: what it was, where known.
    """
    found = _CONTENT_RANGE.fullmatch(content_range.strip())
    starts = None if found is None or found[1] is None or int(found[2]) < int(found[1]) else int(found[1])
    if position is not None and starts != position:
        raise changed(uri, f"asked for the bytes from {position} on, the server sent {content_range[:80]!r}")
    if found is None or found[3] == "*":
        return None
    total = int(found[3])
    if size is not None and total != size:
        raise changed(uri, f"it had {size} bytes and now has {total}")
    return total


def coding_of(headers: Mapping[str, str]) -> str:
    """The coding of a body, empty where it has none."""
    coding = headers.get("Content-Encoding", "").strip().lower()
    return "" if coding == "identity" else coding


def check_coding(uri: str, headers: Mapping[str, str]) -> None:
    """Raise SourceError for a body in a coding that is taken for text."""
    coding = coding_of(headers)
    if coding not in _READABLE_CODINGS:
        raise SourceError(
            f"cannot read {uri}: the server sends it coded as {coding[:40]!r}, which was not asked for",
            hint="fetch the file with a program that undoes the coding, such as curl --compressed, and split that",
        )


def new_session(uri: str, url: str, connections: int = 1) -> Any:  # noqa: ANN401 -- requests is imported late
    """A requests.Session that asks for bytes as they are stored, and keeps so many connections to a host.

    Raises SourceError where requests is not installed.
    """
    try:
        import requests  # noqa: PLC0415 -- comes with an extra, and only http needs it
    except ImportError:
        raise missing_package(uri, url.partition(":")[0].lower()) from None
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    if connections > 1:
        session.mount(url[: url.index("://") + 3], requests.adapters.HTTPAdapter(pool_maxsize=connections))
    return session


def refused(uri: str, status: int) -> SourceError:
    """The error for an answer that is neither the file nor a part of it."""
    hint = "check the URL"
    if status in _LATER:
        hint = "the server is busy or has failed: run the same command again later"
    elif status == _UNAUTHORIZED:
        hint = "put the login into ~/.netrc, or a file that NETRC names: machine HOST login USER password PASSWORD"
    elif status == _FORBIDDEN:
        hint = "check that the login, or the token in the URL, is allowed to read it and has not expired"
    return SourceError(f"cannot open {uri}: the server answered {status}", hint=hint)
