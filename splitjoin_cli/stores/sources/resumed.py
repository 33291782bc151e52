"""A pass that outlives its connection: where one breaks, the next one goes on at the byte reached, or proves its way.

Two answers of a server may be of two versions of the file. A second answer goes on in the middle only where the server
proved that it belongs to the same version. Otherwise it is read from the front, and what was read before must come
again, by its checksum: then the whole pass is what that one answer holds.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Protocol, final

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import SourceChangedError, SourceError, SplitjoinError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from splitjoin_cli.core.bandwidth import Bandwidth
    from splitjoin_cli.core.progress import Moved

__all__ = ["AGAIN", "Answer", "ResumedStream", "changed", "is_final", "kind_of_error", "limited", "next_step"]

AGAIN = "run again: the new content is a new run"
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.5
_SKIP_BYTES = 1024 * 1024
_TOLD: Mapping[type[Exception], str] = {
    FileNotFoundError: "no such file",
    PermissionError: "permission denied",
    socket.gaierror: "the host was not found",
    ConnectionRefusedError: "connection refused",
    ConnectionResetError: "the server closed the connection",
    TimeoutError: "timed out",
}


class Answer(Protocol):
    """What a server sends to one request, from ``start`` on."""

    @property
    def start(self) -> int:
        """The byte it begins at: 0, or the one asked for where it is proved to be of the same version."""

    def readinto(self, buffer: memoryview) -> int:
        """Some bytes; 0 at the end."""

    def close(self) -> None:
        """Drop the connection. Safe to repeat."""


class _Limited:
    """An Answer that is read as fast as its turns come."""

    def __init__(self, answer: Answer, bandwidth: Bandwidth) -> None:
        self._answer, self._bandwidth = answer, bandwidth
        self.start = answer.start

    def readinto(self, buffer: memoryview) -> int:
        count = self._answer.readinto(buffer[: self._bandwidth.piece_bytes])
        self._bandwidth.take(count)
        return count

    def close(self) -> None:
        self._answer.close()


def limited(open_at: Callable[[int], Answer], bandwidth: Bandwidth | None) -> Callable[[int], Answer]:
    """``open_at``, whose answers share ``bandwidth`` with others; None for no limit."""
    return open_at if bandwidth is None else lambda position: _Limited(open_at(position), bandwidth)


def changed(uri: str, what: str, hint: str = AGAIN) -> SourceChangedError:
    """The error for a source that is another one than it was; ``what``: how that shows."""
    return SourceChangedError(f"{uri} changed while it was read: {what}", hint=hint)


def is_final(exc: Exception) -> bool:
    """Whether an error is one of ours that no further try makes good: a change, or a signal to stop."""
    return isinstance(exc, SplitjoinError) and (isinstance(exc, SourceChangedError) or not isinstance(exc, SourceError))


def kind_of_error(exc: Exception) -> str:
    """What may be told of a foreign error: its status or its kind, never its text, which may quote the URL."""
    status = getattr(getattr(exc, "response", None), "status_code", None)
    if isinstance(status, int):
        return f"the server answered {status}"
    if isinstance(exc, ValueError):
        return "the URL is not complete"
    kinds = [*_TOLD.items(), *_told_of_protocols()]
    told = (words for cause in _causes(exc) for kind, words in kinds if isinstance(cause, kind))
    return next(told, type(exc).__name__)


def next_step(exc: Exception) -> str:
    """What to do where a server was not reached."""
    import ssl  # noqa: PLC0415 -- takes longer than all that a local file needs, and is there where a server was asked

    if getattr(exc, "response", None) is not None:
        return "check the URL: the server sends from one address to the next"
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(exc)):
        return "check the URL's scheme and host; an authority of your own is named by REQUESTS_CA_BUNDLE"
    if isinstance(exc, ValueError):
        return "check the URL: it is SCHEME://HOST/PATH"
    return "check the URL's host and port, and the network; then run the same command again"


def _told_of_protocols() -> Iterator[tuple[type[Exception], str]]:
    import http.client  # noqa: PLC0415 -- as in next_step
    import ssl  # noqa: PLC0415 -- the same

    yield ssl.SSLCertVerificationError, "the server's certificate is not valid, or is not trusted here"
    yield ssl.SSLError, "the TLS connection failed"
    yield http.client.IncompleteRead, _TOLD[ConnectionResetError]
    yield http.client.HTTPException, "the server's answer is not HTTP"


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """``exc`` and what is in it, the outermost first: requests and urllib3 wrap the system's error several times."""
    waiting: list[object] = [exc]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


@final
class ResumedStream:
    """A ByteStream of the answers to as many requests as it takes."""

    def __init__(
        self,
        open_at: Callable[[int], Answer],
        uri: str,
        *,
        size: int | None,
        sleep: Callable[[float], None] = time.sleep,
        came: Moved | None = None,
    ) -> None:
        """``open_at`` asks for the bytes from one on; ``size``: how many there are, None where nothing says it.

        ``came``: as in ``Source.stream``; what is read once more does not count again.
        """
        self._open_at, self._uri, self._size = open_at, uri, size
        self._sleep, self._came = sleep, came
        self._position = self._crc = 0
        self._answer: Answer | None = open_at(0)

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream. Raises SourceError where the connection is lost for good, SourceChangedError."""
        filled = 0
        while filled < len(buffer):
            count = self._read(buffer[filled:])
            if not count:
                break
            filled += count
        return filled

    def close(self) -> None:
        """See ByteStream."""
        if self._answer is not None:
            self._answer.close()

    def _read(self, buffer: memoryview) -> int:
        """Some bytes, none at the end; asks again from the same byte on when the connection breaks."""
        for attempt in range(1, _TRIES + 1):
            try:
                count = self._some(buffer)
            except Exception as exc:
                if is_final(exc):
                    raise
                self._drop()
                if attempt == _TRIES:
                    raise (exc if isinstance(exc, SourceError) else self._lost(exc)) from None
                self._sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
                continue
            self._crc = crc64(buffer[:count], self._crc)
            self._position += count
            if self._came is not None:
                self._came(count)
            return count
        raise AssertionError("unreachable")  # pragma: no cover

    def _some(self, buffer: memoryview) -> int:
        if self._answer is None:
            self._answer = self._open_at(self._position)
            self._skip(self._answer, self._position - self._answer.start)
        count = self._answer.readinto(buffer)
        if self._size is not None:
            if not count and self._position < self._size:
                raise EOFError  # one of the ways in which a connection breaks
            if self._position + count > self._size:
                raise changed(self._uri, f"it had {self._size} bytes and now has more")
        return count

    def _skip(self, answer: Answer, size: int) -> None:
        """Pass over what was read before, and see that it is the same."""
        if not size:
            return
        buffer, crc, left = memoryview(bytearray(min(size, _SKIP_BYTES))), 0, size
        while left:
            count = answer.readinto(buffer[:left])
            if not count:
                if self._size is None:
                    raise changed(self._uri, f"{size} bytes were read of it, and now it ends after {size - left}")
                raise EOFError
            crc, left = crc64(buffer[:count], crc), left - count
        if crc != self._crc:
            raise changed(self._uri, f"the connection broke, and its first {size} bytes are other ones now")

    def _drop(self) -> None:
        # a new request: reading on from an answer that broke may be taken for its end
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _lost(self, exc: Exception) -> SourceError:
        size = "" if self._size is None else f" of {self._size}"
        return SourceError(
            f"cannot read {self._uri}: the connection broke after {self._position}{size} bytes ({kind_of_error(exc)})",
            hint="run the same command again, or fetch the file first",
        )
