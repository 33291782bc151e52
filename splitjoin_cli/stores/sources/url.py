"""Everything that smart-open reads by URL: http, sftp, Google and Azure storage, and so on, from the front.

A URL may carry a password, or a signature in its query. Neither it nor a foreign error that might quote it appears in
a message, nor as the cause of one: what is said is the kind of error and the URL less user, password and query.
"""

from __future__ import annotations

import time
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast, final
from urllib.parse import urlsplit, urlunsplit

from splitjoin_cli.core.errors import SourceChangedError, SourceError
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.stores.sources.stream import cannot_seek

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

__all__ = ["UrlSource", "redacted"]

_EXTRAS = {
    "http": "http",
    "https": "http",
    "gs": "gcs",
    "azure": "azure",
    "ssh": "ssh",
    "scp": "ssh",
    "sftp": "ssh",
    "webhdfs": "webhdfs",
}
"""Scheme -> the extra of smart-open that brings its transport."""

_HTTP = frozenset({"http", "https"})
_AS_STORED = {"Accept-Encoding": "identity"}
_TIMEOUTS_SECONDS = (30.0, 120.0)  # to connect, and between two reads
_BUFFER_BYTES = 1024 * 1024
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.5


def redacted(url: str) -> str:
    """``url`` less user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class _Identity(NamedTuple):
    """What an http answer says of the resource; None where it says nothing."""

    etag: str | None
    last_modified: str | None
    content_length: int | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> _Identity:
        length = headers.get("Content-Length", "")
        coded = headers.get("Content-Encoding", "identity") != "identity"
        return cls(
            headers.get("ETag"),
            headers.get("Last-Modified"),
            int(length) if length.isdecimal() and not coded else None,
        )

    def agrees_with(self, other: _Identity) -> bool:
        """Only what both say is compared: servers leave headers out of answers to HEAD."""
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True) if None not in (mine, theirs))

    @property
    def validator(self) -> str | None:
        return self.etag or self.last_modified


class _Pass(NamedTuple):
    """One opened URL, and what its answer said."""

    file: IO[bytes]
    identity: _Identity
    session: requests.Session | None

    def close(self) -> None:
        self.file.close()
        if self.session is not None:
            self.session.close()


@final
class UrlSource:
    """A URL that smart-open reads. See Source for the contract.

    Over http, each pass and ``check_unchanged`` compare ETag, Last-Modified and Content-Length with those of the first
    answer. Elsewhere nothing is known but the bytes.
    """

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Open ``url`` and ask what it is. Raises SourceError where it cannot be opened, or its extra is missing."""
        self._url = url
        self._uri = redacted(url)
        self._scheme = urlsplit(url).scheme
        self._sleep = sleep
        self._closed = False
        self._identity = _Identity(None, None, None)
        first = self._open()
        first.close()
        self._identity = first.identity
        self._properties = SourceProperties(
            uri=self._uri,
            seekable=False,
            size=None,
            stored_bytes=self._identity.content_length,
            compression=None,
            validator=self._identity.validator,
        )

    @property
    def properties(self) -> SourceProperties:
        """See Source."""
        return self._properties

    def read_at(self, offset: int, buffer: memoryview) -> int:  # noqa: ARG002 -- the contract's parameters
        """See Source: this one is not seekable. Raises SourceError."""
        raise cannot_seek(self._uri)

    def stream(self) -> _UrlStream:
        """See Source."""
        return _UrlStream(self._open, self._uri, self._identity.content_length, self._sleep)

    def check_unchanged(self) -> None:
        """See Source. Where HEAD is not allowed (a link signed for GET), a GET whose body is left alone."""
        if self._scheme in _HTTP:
            self._require_same(self._head() or self._get_head())

    def close(self) -> None:
        """See Source. Passes under way hold their own connections."""
        self._closed = True

    def _open(self) -> _Pass:
        if self._closed:
            raise SourceError(f"{self._uri} was closed")
        try:
            opened = self._open_with_smart_open()
        except ImportError:
            extra = _EXTRAS.get(self._scheme, "all")
            message = f"cannot read {self._uri}: the package that reads {self._scheme} is not installed"
            raise SourceError(message, hint=f"pip install 'smart-open[{extra}]'") from None
        except NotImplementedError:
            message = f"cannot read {self._uri}: unknown scheme {self._scheme}"
            raise SourceError(message, hint="a path, s3://, http://, https://, sftp://, gs:// or azure://") from None
        except Exception as exc:  # noqa: BLE001 -- each transport has its own errors
            raise self._failed("open", exc) from None
        try:
            self._require_same(opened.identity)
        except SourceChangedError:
            opened.close()
            raise
        return opened

    def _open_with_smart_open(self) -> _Pass:
        import smart_open  # noqa: PLC0415 -- takes longer than the command line may

        options: dict[str, Any] = {}
        session = None
        if self._scheme in _HTTP:
            session = _session()
            options = {"session": session, "timeout": _TIMEOUTS_SECONDS, "buffer_size": _BUFFER_BYTES}
        answers: list[Mapping[str, str]] = []
        if session is not None:
            session.hooks["response"].append(lambda answer, **_: answers.append(answer.headers))
        try:
            file = smart_open.open(self._url, "rb", compression="disable", transport_params=options)
        except BaseException:
            if session is not None:
                session.close()
            raise
        return _Pass(cast("IO[bytes]", file), _Identity.of(answers[-1] if answers else {}), session)

    def _head(self) -> _Identity | None:
        """What HEAD says; None where the server has no answer to it."""
        with _session() as session:
            try:
                answer = session.head(self._url, allow_redirects=True, timeout=_TIMEOUTS_SECONDS, headers=_AS_STORED)
            except Exception as exc:  # noqa: BLE001 -- requests raises more than its own errors
                raise self._failed("check", exc) from None
            return _Identity.of(answer.headers) if answer.ok else None

    def _get_head(self) -> _Identity:
        opened = self._open()
        opened.close()
        return opened.identity

    def _require_same(self, now: _Identity) -> None:
        if not self._identity.agrees_with(now):
            raise SourceChangedError(
                f"{self._uri} changed while it was read: {_difference(self._identity, now)}",
                hint="run again: the new content is a new run",
            )

    def _failed(self, verb: str, exc: Exception) -> SourceError:
        return SourceError(f"cannot {verb} {self._uri}: {_kind(exc)}")


def _session() -> requests.Session:
    import requests  # noqa: PLC0415 -- comes with an extra, and only http needs it

    return requests.Session()


def _kind(exc: Exception) -> str:
    """What may be told of a foreign error: its status or its kind, never its text."""
    status = getattr(getattr(exc, "response", None), "status_code", None)
    if isinstance(status, int):
        return f"the server answered {status}"
    if isinstance(exc, FileNotFoundError):
        return "no such file"
    if isinstance(exc, PermissionError):
        return "permission denied"
    return type(exc).__name__


def _difference(before: _Identity, now: _Identity) -> str:
    labels = ("ETag", "Last-Modified", "Content-Length")
    said_twice = [entry for entry in zip(labels, before, now, strict=True) if None not in entry]
    return ", ".join(f"{label} was {old}, is {new}" for label, old, new in said_twice if old != new)


@final
class _UrlStream:
    """One pass over a URL. A lost connection is taken up again at the byte reached, where the server has ranges."""

    def __init__(
        self, opener: Callable[[], _Pass], uri: str, content_length: int | None, sleep: Callable[[float], None]
    ) -> None:
        self._opener = opener
        self._uri = uri
        self._content_length = content_length
        self._sleep = sleep
        self._pass = opener()
        self._position = 0

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream. Raises SourceError where the connection is lost for good."""
        filled = 0
        while filled < len(buffer):
            count = self._read(buffer[filled:])
            if not count:
                break
            filled += count
        return filled

    def close(self) -> None:
        """See ByteStream."""
        self._pass.close()

    def _read(self, buffer: memoryview) -> int:
        """Some bytes, none at the end; tries again from the same byte when the connection breaks."""
        for attempt in range(1, _TRIES + 1):
            try:
                if attempt > 1:
                    self._reopen()
                data = self._pass.file.read(len(buffer))
                if not data and self._content_length is not None and self._position < self._content_length:
                    raise EOFError  # noqa: TRY301 -- one of the ways in which a connection breaks
            except SourceChangedError:
                raise
            except Exception as exc:  # noqa: BLE001 -- each transport has its own errors
                if attempt == _TRIES:
                    raise (exc if isinstance(exc, SourceError) else self._lost(exc)) from None
                self._sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
                continue
            buffer[: len(data)] = data
            self._position += len(data)
            return len(data)
        raise AssertionError("unreachable")  # pragma: no cover

    def _reopen(self) -> None:
        # a new object: seeking the old one to where it is would not reconnect, and its next read be taken for the end
        self._pass.close()
        self._pass = self._opener()
        if self._position:
            self._pass.file.seek(self._position)

    def _lost(self, exc: Exception) -> SourceError:
        size = "" if self._content_length is None else f" of {self._content_length}"
        return SourceError(
            f"cannot read {self._uri}: the connection broke after {self._position}{size} bytes ({_kind(exc)})",
            hint="run the same command again, or fetch the file first",
        )
