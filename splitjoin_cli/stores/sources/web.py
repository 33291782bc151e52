"""Files behind http and https: each answer proves that it is of the version that was opened, or is proved by its bytes.

RFC 9110: 13.1.5 (If-Range). A URL may carry a password, or a token in its
query. Neither it nor a foreign error that might quote it appears in a message, nor as the cause of one.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, final

from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sources.resumed import ResumedStream, changed, is_final, kind_of_error, limited, next_step
from splitjoin_cli.stores.sources.stream import cannot_seek
from splitjoin_cli.stores.sources.url import redacted
from splitjoin_cli.stores.sources.web_answers import (
    TIMEOUTS_SECONDS,
    Version,
    check_coding,
    length_of,
    new_session,
    refused,
    require_same,
    required_total,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.core.bandwidth import Bandwidth
    from splitjoin_cli.core.progress import Moved

__all__ = ["HttpSource"]

_OK, _PARTIAL, _PRECONDITION_FAILED, _NO_SUCH_RANGE = 200, 206, 412, 416

_NO_LENGTH = (
    "the server does not say how long the file is, so a broken connection looks like the end of the file; "
    "check the number of rows"
)


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
        self._version = Version(None, None, None)
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

    def _ask(self) -> tuple[_Answer, Version]:
        """All of it, and what its answer said. Raises SourceError, SourceChangedError."""
        session, answer = self._get({})
        try:
            version = self._checked(answer)
        except BaseException:
            answer.close()
            session.close()
            raise
        return _Answer(session, answer), version

    def _checked(self, answer: Any) -> Version:  # noqa: ANN401 -- requests is imported late
        """What an answer with the whole file says. Raises SourceError, SourceChangedError."""
        if answer.status_code != _OK:
            raise refused(self._uri, answer.status_code)
        check_coding(self._uri, answer.headers)
        version = Version.of(answer.headers, length_of(answer.headers))
        require_same(self._uri, self._version, version)
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
                required_total(self._uri, answer.headers.get("Content-Range", ""), None, self._version.size)
            else:
                raise refused(self._uri, answer.status_code)
        finally:
            if kept is None:
                answer.close()
                session.close()
        return kept

    def _is_rest(self, headers: Mapping[str, str], position: int, strong: tuple[str, str]) -> bool:
        """Whether a partial answer proves its version. Raises SourceChangedError where it says that it is another."""
        total = required_total(self._uri, headers.get("Content-Range", ""), position, self._version.size)
        require_same(self._uri, self._version, Version.of(headers, total))
        return headers.get(strong[0]) == strong[1]

    def _get(self, headers: Mapping[str, str]) -> tuple[Any, Any]:
        if self._closed:
            raise SourceError(f"{self._uri} was closed")
        session = new_session(self._uri, self._url)
        try:
            answer = session.get(self._url, stream=True, timeout=TIMEOUTS_SECONDS, headers=headers)
        except Exception as exc:
            session.close()
            if is_final(exc):
                raise
            raise self._failed("open", exc) from None
        return session, answer

    def _head(self) -> Version | None:
        """What HEAD says; None where the server has no answer to it."""
        session = new_session(self._uri, self._url)
        try:
            answer = session.head(self._url, allow_redirects=True, timeout=TIMEOUTS_SECONDS)
        except Exception as exc:
            if is_final(exc):
                raise
            raise self._failed("check", exc) from None
        finally:
            session.close()
        if answer.status_code != _OK:
            return None
        return Version.of(answer.headers, length_of(answer.headers))

    def _failed(self, verb: str, exc: Exception) -> SourceError:
        return SourceError(f"cannot {verb} {self._uri}: {kind_of_error(exc)}", hint=next_step(exc))
