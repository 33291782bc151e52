"""Files behind http and https: each answer proves that it is of the version that was opened, or is proved by its bytes.

RFC 9110: 8.8 (validators), 13.1.5 (If-Range), 14.4 (Content-Range). A URL may carry a password, or a token in its
query. Neither it nor a foreign error that might quote it appears in a message, nor as the cause of one.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, final

from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sources.resumed import ResumedStream, changed, is_final, kind_of_error, limited
from splitjoin_cli.stores.sources.stream import cannot_seek
from splitjoin_cli.stores.sources.url import missing_package, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.core.bandwidth import Bandwidth
    from splitjoin_cli.core.progress import Moved

__all__ = ["HttpSource"]

_TIMEOUTS_SECONDS = (30.0, 120.0)  # to connect, and between two reads
_OK, _PARTIAL, _UNAUTHORIZED, _FORBIDDEN, _PRECONDITION_FAILED, _NO_SUCH_RANGE = 200, 206, 401, 403, 412, 416
_READABLE_CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "zstd"})
"""What is undone by the bytes' own magic, whoever packed them; another coding would be taken for text."""

_NO_LENGTH = (
    "the server does not say how long the file is, so a broken connection looks like the end of the file; "
    "check the number of rows"
)

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", re.ASCII)


class _Version(NamedTuple):
    """What an answer says of the whole file; None where it says nothing."""

    etag: str | None
    last_modified: str | None
    size: int | None
    date: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str], size: int | None) -> _Version:
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

    def difference(self, other: _Version) -> str | None:
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

    def repeats(self, first: _Version) -> bool:
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


class _Answer:
    """The body of one answer, as it was sent. An Answer."""

    def __init__(self, session: Any, answer: Any, start: int = 0) -> None:  # noqa: ANN401 -- requests is imported late
        self.start = start
        self._session, self._answer = session, answer

    @property
    def is_chunked(self) -> bool:
        """Whether the body says itself where it ends (RFC 9112 7.1)."""
        return "chunked" in self._answer.headers.get("Transfer-Encoding", "").lower()

    def readinto(self, buffer: memoryview) -> int:
        data: bytes = self._answer.raw.read(len(buffer), decode_content=False)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._answer.close()
        self._session.close()


@final
class HttpSource(StaysHere):
    """A URL of http or https. See Source for the contract.

    User and password come from the URL, or from ``~/.netrc`` (``NETRC``), as requests has it.
    """

    def __init__(
        self, url: str, *, bandwidth: Bandwidth | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Ask for ``url`` once: the first pass goes on with that answer. Raises SourceError.

        ``bandwidth``: what limits its passes, and others, together.
        """
        self._url, self._uri, self._sleep, self._bandwidth = url, redacted(url), sleep, bandwidth
        self._closed = False
        self._lock = threading.Lock()
        self._version = _Version(None, None, None)
        answer, self._version = self._ask()
        self._unread: _Answer | None = answer
        strong, length_is_told = self._version.strong, self._version.size is not None or answer.is_chunked
        self._properties = SourceProperties(
            uri=self._uri,
            seekable=False,
            size=None,
            stored_bytes=self._version.size,
            compression=None,
            validator=None if strong is None else strong[1],
            warnings=() if length_is_told else (f"{self._uri}: {_NO_LENGTH}",),
        )

    @property
    def properties(self) -> SourceProperties:
        """See Source. ``validator`` is None where what the server says may be true of two versions."""
        return self._properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- the contract's
        """See Source: this one is not seekable. Raises SourceError."""
        raise cannot_seek(self._uri)

    def stream(self, came: Moved | None = None) -> ResumedStream:
        """See Source."""
        open_at = limited(self._open_at, self._bandwidth)
        return ResumedStream(open_at, self._uri, size=self._version.size, sleep=self._sleep, came=came)

    def check_unchanged(self) -> None:
        """See Source. What HEAD does not say (it may not be allowed, or tell less), a GET says, its body left alone."""
        head = self._head()
        if head is None or not head.repeats(self._version) or self._version.difference(head):
            self._ask()[0].close()

    def close(self) -> None:
        """See Source. Passes under way hold their own connections."""
        self._closed = True
        unread = self._take_unread()
        if unread is not None:
            unread.close()

    def _take_unread(self) -> _Answer | None:
        with self._lock:
            unread, self._unread = self._unread, None
        return unread

    def _open_at(self, position: int) -> _Answer:
        """The answer from ``position`` on if it is proved to be of the same version, else from the front."""
        strong = self._version.strong
        if position and strong is not None:
            answer = self._ask_for_rest(position, strong)
            if answer is not None:
                return answer
        return (None if position else self._take_unread()) or self._ask()[0]

    def _ask(self) -> tuple[_Answer, _Version]:
        """All of it, and what its answer said. Raises SourceError, SourceChangedError."""
        session, answer = self._get({})
        try:
            version = self._checked(answer)
        except BaseException:
            answer.close()
            session.close()
            raise
        return _Answer(session, answer), version

    def _checked(self, answer: Any) -> _Version:  # noqa: ANN401 -- requests is imported late
        """What an answer with the whole file says. Raises SourceError, SourceChangedError."""
        if answer.status_code != _OK:
            raise self._refused(answer.status_code)
        coding = answer.headers.get("Content-Encoding", "").strip().lower()
        if coding not in _READABLE_CODINGS:
            raise SourceError(
                f"cannot read {self._uri}: the server sends it coded as {coding[:40]!r}, which was not asked for",
                hint="fetch the file with a program that undoes the coding, such as curl --compressed, and split that",
            )
        length = answer.headers.get("Content-Length", "")
        version = _Version.of(answer.headers, int(length) if length.isascii() and length.isdigit() else None)
        difference = self._version.difference(version)
        if difference is not None:
            raise changed(self._uri, difference)
        return version

    def _ask_for_rest(self, position: int, strong: tuple[str, str]) -> _Answer | None:
        """The rest, by a range; None where the server has no ranges, or does not prove that it is the same version."""
        session, answer = self._get({"Range": f"bytes={position}-", "If-Range": strong[1]})
        kept = None
        try:
            if answer.status_code == _PARTIAL:
                if self._is_rest(answer.headers, position, strong):
                    kept = _Answer(session, answer, position)
            elif answer.status_code == _OK:
                self._checked(answer)
                kept = _Answer(session, answer)
            elif answer.status_code == _PRECONDITION_FAILED:
                raise changed(self._uri, f"the server answered {answer.status_code}: {' '.join(strong)} is gone")
            elif answer.status_code == _NO_SUCH_RANGE:
                self._require_total(answer.headers.get("Content-Range", ""), None)
            else:
                raise self._refused(answer.status_code)
        finally:
            if kept is None:
                answer.close()
                session.close()
        return kept

    def _is_rest(self, headers: Mapping[str, str], position: int, strong: tuple[str, str]) -> bool:
        """Whether a partial answer proves its version. Raises SourceChangedError where it says that it is another."""
        total = self._require_total(headers.get("Content-Range", ""), position)
        difference = self._version.difference(_Version.of(headers, total))
        if difference is not None:
            raise changed(self._uri, difference)
        return headers.get(strong[0]) == strong[1]

    def _require_total(self, content_range: str, position: int | None) -> int | None:
        """The file's size in a Content-Range. Raises SourceChangedError where start or size are not what they must be.

        ``position``: the start that was asked for, None where the range was refused.
        """
        found = _CONTENT_RANGE.fullmatch(content_range.strip())
        if position is not None and (found is None or found[1] is None or int(found[1]) != position):
            raise changed(self._uri, f"asked for the bytes from {position} on, the server sent {content_range[:80]!r}")
        if found is None or found[3] == "*":
            return None
        total = int(found[3])
        if self._version.size is not None and total != self._version.size:
            raise changed(self._uri, f"it had {self._version.size} bytes and now has {total}")
        return total

    def _get(self, headers: Mapping[str, str]) -> tuple[Any, Any]:
        if self._closed:
            raise SourceError(f"{self._uri} was closed")
        session = self._session()
        try:
            answer = session.get(self._url, stream=True, timeout=_TIMEOUTS_SECONDS, headers=headers)
        except Exception as exc:
            session.close()
            if is_final(exc):
                raise
            raise self._failed("open", exc) from None
        return session, answer

    def _head(self) -> _Version | None:
        """What HEAD says; None where the server has no answer to it."""
        session = self._session()
        try:
            answer = session.head(self._url, allow_redirects=True, timeout=_TIMEOUTS_SECONDS)
        except Exception as exc:
            if is_final(exc):
                raise
            raise self._failed("check", exc) from None
        finally:
            session.close()
        if answer.status_code != _OK:
            return None
        length = answer.headers.get("Content-Length", "")
        return _Version.of(answer.headers, int(length) if length.isascii() and length.isdigit() else None)

    def _session(self) -> Any:  # noqa: ANN401 -- requests is imported late
        try:
            import requests  # noqa: PLC0415 -- comes with an extra, and only http needs it
        except ImportError:
            raise missing_package(self._uri, self._url.partition(":")[0].lower()) from None
        session = requests.Session()
        session.headers["Accept-Encoding"] = "identity"
        return session

    def _refused(self, status: int) -> SourceError:
        hint = None
        if status == _UNAUTHORIZED:
            hint = "put the login into ~/.netrc, or a file that NETRC names: machine HOST login USER password PASSWORD"
        elif status == _FORBIDDEN:
            hint = "check that the login, or the token in the URL, is allowed to read it and has not expired"
        return SourceError(f"cannot open {self._uri}: the server answered {status}", hint=hint)

    def _failed(self, verb: str, exc: Exception) -> SourceError:
        return SourceError(f"cannot {verb} {self._uri}: {kind_of_error(exc)}")
