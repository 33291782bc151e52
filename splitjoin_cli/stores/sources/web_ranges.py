"""A file behind http or https, read by ranges, each of which proves that it is of the version that was opened.

RFC 9110: 13.1.5 (If-Range), 14.2 (Range). As in web.py, a message shows no more of a URL than its place.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, final

from splitjoin_cli.core.errors import SourceError, UsageError
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sources.idle_ranges import IdleRanges
from splitjoin_cli.stores.sources.positioned import PositionedStream
from splitjoin_cli.stores.sources.resumed import changed, is_final, kind_of_error, next_step
from splitjoin_cli.stores.sources.url import redacted
from splitjoin_cli.stores.sources.web_answers import (
    TIMEOUTS_SECONDS,
    Version,
    check_coding,
    coding_of,
    length_of,
    new_session,
    refused,
    require_same,
    required_total,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.core.model import ByteRange
    from splitjoin_cli.core.progress import Moved

__all__ = ["HttpRanges"]

_OK, _PARTIAL, _PRECONDITION_FAILED, _NO_SUCH_RANGE = 200, 206, 412, 416
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.5
READ_BYTES = 4 * 1024 * 1024
"""A request takes as long as some MiB."""
LONGEST_RANGE_BYTES = 32 * 1024 * 1024
GROWTH = 4
"""A reader that goes on where it stopped gets a longer range each time, up to that."""
KEPT = 32
"""Ranges that stand where a reader stopped."""
ANNOUNCED = 1024
"""Ends that were announced, and starts that came of it."""
WAY_OUT = "store the file on S3 first, or use --engine threads"


class _Part:
    """The body of one answer, from ``position`` on, by one thread at a time. ``asked``: the bytes of its request."""

    def __init__(self, answer: Any, position: int, end: int, asked: int) -> None:  # noqa: ANN401 -- requests is imported late
        self._answer = answer
        self.position, self.end, self.asked = position, end, asked

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self.end - self.position

    def readinto(self, view: memoryview) -> int:
        """Some bytes. Raises what requests raises, EOFError where the connection ended before the range did."""
        data: bytes = self._answer.raw.read(min(len(view), self.left), decode_content=False)
        if not data:
            raise EOFError
        view[: len(data)] = data
        self.position += len(data)
        return len(data)

    def close(self) -> None:
        self._answer.close()


@final
class HttpRanges(StaysHere):
    """A URL of http or https as a Source that can be read at any place; see HttpSource for one that streams.

    User and password come from ``~/.netrc`` (``NETRC``) of the process that reads, as requests has it.
    """

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """One request. Raises SourceError; UsageError for a server that sends no ranges that prove a version."""
        self._url, self._uri, self._sleep = url, redacted(url), sleep
        self._idle: IdleRanges[_Part] = IdleRanges(limit=KEPT, noted=ANNOUNCED)
        self._closed = False
        self._session = new_session(self._uri, url, KEPT)
        self._version, self._coding = Version(None, None, None), ""
        try:
            self._version = self._asked_first()
        except BaseException:
            self._session.close()
            raise
        strong = self._version.strong
        self._properties = SourceProperties(
            uri=self._uri,
            seekable=True,
            size=self._version.size,
            stored_bytes=self._version.size,
            compression=None,
            validator=None if strong is None else strong[1],
            read_bytes=READ_BYTES,
        )

    @property
    def properties(self) -> SourceProperties:
        """See Source. ``validator``: an ETag, or a time of change that no other version shares."""
        return self._properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        """See Source: a read that goes on where another one stopped takes no new request, if bytes are left of it."""
        view = buffer[: max(0, min(len(buffer), (self._version.size or 0) - offset))]
        done, failures = 0, 0
        while done < len(view):
            try:
                count = self._some(offset + done, view[done:])
            except Exception as exc:  # noqa: BLE001 -- raised again, but for what the next try may make good
                failures += 1
                self._pause(failures, offset + done, exc)
                continue
            done, failures = done + count, 0
            if came is not None:
                came(count)
        return len(view)

    def announce(self, part: ByteRange) -> None:
        """As in ``base.announce``: one request asks for all of it."""
        self._idle.announce(part)

    def stream(self, came: Moved | None = None) -> PositionedStream:
        """See Source."""
        return PositionedStream(self, came)

    def check_unchanged(self) -> None:
        """See Source: one byte is asked for."""
        if self._version.size:
            self._read_first()
        elif self._asked_first().size:
            raise changed(self._uri, "it was empty, and is not any more")

    def close(self) -> None:
        """See Source."""
        self._closed = True
        self._idle.close()
        self._session.close()

    def _read_first(self) -> None:
        """The first byte, of the version that was opened."""
        for failures in range(1, _TRIES + 1):
            try:
                self._part(0, 1).close()
            except Exception as exc:  # noqa: BLE001 -- as in read_at
                self._pause(failures, 0, exc)
            else:
                return

    def _pause(self, failures: int, position: int, exc: Exception) -> None:
        """Wait before the next try. Raises ``exc`` where none makes it good, and SourceError after the last one."""
        if is_final(exc):
            raise exc
        if failures == _TRIES:
            raise self._lost(position, exc) from None
        self._sleep(_FIRST_PAUSE_SECONDS * 2 ** (failures - 1))

    def _some(self, position: int, view: memoryview) -> int:
        """At least one byte from ``position`` on, from the answer that stands there or from another one."""
        part, announced = self._idle.take(position)
        if part is None or not part.left:
            longer = 0 if part is None else min(part.asked * GROWTH, LONGEST_RANGE_BYTES)
            part = self._part(position, max(len(view), announced, longer))
        try:
            count = part.readinto(view)
        except BaseException:
            part.close()
            raise
        self._idle.keep(part)
        return count

    def _part(self, start: int, size: int) -> _Part:
        """The answer to a request for ``size`` bytes, or as many as there are. Raises SourceChangedError."""
        end = min(start + size, self._version.size or 0)
        strong = self._version.strong
        headers = {"Range": f"bytes={start}-{end - 1}"} | ({} if strong is None else {"If-Range": strong[1]})
        answer = self._get(headers)
        try:
            return _Part(answer, start, self._proved_end(answer, start, end), end - start)
        except BaseException:
            answer.close()
            raise

    def _proved_end(self, answer: Any, start: int, end: int) -> int:  # noqa: ANN401 -- requests is imported late
        """Where the body of a partial answer ends, up to ``end``. Raises SourceChangedError, SourceError."""
        status, headers, strong = answer.status_code, answer.headers, self._version.strong
        if status == _PARTIAL:
            total = required_total(self._uri, headers.get("Content-Range", ""), start, self._version.size)
            require_same(self._uri, self._version, Version.of(headers, total))
            if coding_of(headers) != self._coding:  # some send ranges of what they made of the file, under one ETag
                now = coding_of(headers)[:40]
                raise SourceError(f"cannot read {self._uri}: a range of it came coded as {now!r}, not {self._coding!r}")
            if strong is not None and headers.get(strong[0]) != strong[1]:
                raise changed(self._uri, f"an answer does not have the {strong[0]} that it had: {strong[1]}")
            return min(end, _last_of(headers["Content-Range"]) + 1)
        if status == _OK:  # what If-Range does where the version is another one
            require_same(self._uri, self._version, Version.of(headers, length_of(headers)))
            raise changed(
                self._uri, "the server sends all of it, where a range of the version that was opened was asked for"
            )
        if status == _PRECONDITION_FAILED:
            raise changed(self._uri, f"the server answered {status}: {' '.join(strong or ())} is gone")
        if status == _NO_SUCH_RANGE:
            raise changed(self._uri, f"it has no byte {start} any more")
        raise refused(self._uri, status)

    def _asked_first(self) -> Version:
        """What the answer to a request for the first byte says of the file. Raises SourceError, UsageError."""
        for attempt in range(1, _TRIES + 1):
            try:
                answer = self._get({"Range": "bytes=0-0"})
            except SourceError:
                if attempt == _TRIES:
                    raise
            else:
                if answer.status_code not in _BUSY or attempt == _TRIES:
                    break
                answer.close()
            self._sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            return self._first_version(answer)
        finally:
            answer.close()

    def _first_version(self, answer: Any) -> Version:  # noqa: ANN401 -- requests is imported late
        content_range = answer.headers.get("Content-Range", "")
        if answer.status_code == _NO_SUCH_RANGE and content_range.strip() == "bytes */0":
            return Version.of(answer.headers, 0)
        if answer.status_code == _OK:
            raise self._unfit("the server does not send ranges of bytes, and workers read a source by ranges")
        if answer.status_code != _PARTIAL:
            raise refused(self._uri, answer.status_code)
        check_coding(self._uri, answer.headers)
        self._coding = coding_of(answer.headers)
        total = required_total(self._uri, content_range, 0, None)
        if total is None:
            raise self._unfit("the server does not say how long the file is, and workers read a source by ranges")
        version = Version.of(answer.headers, total)
        if version.strong is None:
            raise self._unfit(
                "the server sends neither an ETag that proves a version nor a Last-Modified time that does, and "
                "workers must know that they all read the same one"
            )
        return version

    def _unfit(self, why: str) -> UsageError:
        return UsageError(f"{self._uri}: {why}", hint=WAY_OUT)

    def _get(self, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 -- requests is imported late
        if self._closed:
            raise SourceError(f"{self._uri} was closed")
        try:
            return self._session.get(self._url, stream=True, timeout=TIMEOUTS_SECONDS, headers=headers)
        except Exception as exc:
            if is_final(exc):
                raise
            raise SourceError(f"cannot open {self._uri}: {kind_of_error(exc)}", hint=next_step(exc)) from None

    def _lost(self, position: int, exc: Exception) -> SourceError:
        if isinstance(exc, SourceError):
            return exc
        return SourceError(
            f"cannot read {self._uri}: the connection broke at byte {position} of {self._version.size} "
            f"({kind_of_error(exc)})",
            hint="run the same command again",
        )


def _last_of(content_range: str) -> int:
    """The last byte of a Content-Range that was found right."""
    return int(content_range.partition("-")[2].partition("/")[0])
