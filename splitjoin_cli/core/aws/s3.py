"""One bucket as the S3 sink and source see it: calls that are repeated while that can help, and errors of ours."""

from __future__ import annotations

import contextlib
import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.answers import regular
from splitjoin_cli.core.aws.data.carrier import Carrier
from splitjoin_cli.core.aws.endpoints import is_aws
from splitjoin_cli.core.errors import StoreError, UsageError
from splitjoin_cli.core.unpicklable import StaysHere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Bucket", "Retry", "S3Uri", "parse_uri", "store_identity"]

T = TypeVar("T")

STOPPED_ATTEMPTS = 3
"""Of a request that undoes what was begun, once all is to end: the user waits, and the next run undoes it, too."""

AMAZON_SUFFIXES = {".amazonaws.com": "aws", ".amazonaws.com.cn": "aws-cn"}


@dataclass(frozen=True, slots=True)
class S3Uri:
    """``s3://bucket/key``; the key is kept as it is, never decoded."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_uri(uri: str) -> S3Uri:
    """Take ``s3://bucket/key`` apart; the key may be empty. Raises UsageError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not bucket:
        raise UsageError(f"not an S3 URI: {uri}", hint="s3://BUCKET/PREFIX/")
    return S3Uri(bucket, key)


def store_identity(client: Any) -> str:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """A word that is equal for two clients that speak to one store: ``aws`` in any region, else the endpoint."""
    parts = urlsplit(client.meta.endpoint_url)
    host = parts.hostname or ""
    for suffix, name in AMAZON_SUFFIXES.items():
        if host.endswith(suffix):
            return name
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a request is tried, and how long between: exponential, with jitter, as AWS advises.

    AWS Builders' Library, "Timeouts, retries, and backoff with jitter". With the defaults a request gives up after
    about a minute of throttling or 5xx, and after some seconds where no connection comes about at all, or where the
    answer says nothing: it is a proxy's rather than the store's.
    """

    attempts: int = 10
    doubtful_attempts: int = 4
    first_delay_seconds: float = 0.25
    longest_delay_seconds: float = 20.0
    jitter: Callable[[], float] = field(default=random.random)

    def delay_seconds(self, failed: int) -> float:
        """How long to wait after ``failed`` attempts: between half of the bound and all of it."""
        bound = min(self.longest_delay_seconds, self.first_delay_seconds * 2.0 ** (failed - 1))
        share: float = 0.5 + self.jitter() / 2
        return bound * share

    def may_repeat(self, error: BaseException, failed: int) -> bool:
        """Whether one more attempt is allowed after ``error``, the ``failed``-th in a row."""
        doubtful = aws.never_connected(error) or aws.says_nothing(error)
        limit = self.doubtful_attempts if doubtful else self.attempts
        return aws.is_transient(error) and failed < limit


class Bucket(StaysHere):
    """Calls on one bucket. Thread-safe; ``stop`` ends waiting and repeating at once."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 -- botocore makes its clients' classes at run time
        name: str,
        *,
        common: Mapping[str, str] | None = None,
        retry: Retry | None = None,
        shared: bool = False,
    ) -> None:
        """``common``: parameters for every operation that knows them (RequestPayer, ExpectedBucketOwner).

        ``shared``: the client is somebody else's to close.
        """
        self._shared = shared
        self.name = name
        self.retry = retry or Retry()
        self.stop = threading.Event()
        self._client = client
        self._carrier = Carrier(client)
        self._common = dict(common or {})
        self._known: dict[str, frozenset[str]] = {}

    @property
    def identity(self) -> str:
        """See ``store_identity``."""
        return store_identity(self._client)

    @property
    def is_on_aws(self) -> bool:
        """Whether it is on AWS, and not on a store that may lack something."""
        return is_aws(self._client)

    def apart(self, retry: Retry) -> Bucket:
        """The same bucket with a ``stop`` and a patience of its own, for as long as the client is open."""
        return Bucket(self._client, self.name, common=self._common, retry=retry, shared=True)

    def close(self) -> None:
        """Stop, and free the connections. Safe to repeat."""
        self.stop.set()
        self._carrier.close()
        if not self._shared:
            self._client.close()

    def uri(self, key: str) -> str:
        """The object's URI, as messages name it."""
        return f"s3://{self.name}/{key}"

    def call(self, method: str, key: str | None, *, stoppable: bool = True, **parameters: object) -> dict[str, Any]:
        """``client.method(Bucket=..., Key=key, **parameters)``, repeated while that can help.

        ``key`` is ``None`` for operations on the bucket. A ``Body`` that can seek is sent from its front each time.
        Raises the botocore error itself: callers look at its code, inside ``translating``.
        """
        return self.repeat(lambda: self.once(method, key, **parameters), method, key, stoppable=stoppable)

    def once(self, method: str, key: str | None, **parameters: object) -> dict[str, Any]:
        """``call`` without repeating. The answer is a regular one, see there."""
        arguments = {"Bucket": self.name, **self._common_of(method), **parameters}
        if key is not None:
            arguments["Key"] = key
        body: Any = parameters.get("Body")
        if hasattr(body, "seek"):
            body.seek(0)
        try:
            return regular(self._carrier.call(method, arguments))
        except (ValueError, LookupError) as exc:  # botocore met a date that is none, or missed a field itself
            if isinstance(exc, (*aws.ERRORS, UnicodeError)):
                raise
            raise aws.UnreadableAnswerError(str(exc)) from exc

    def needed(self, answer: Mapping[str, Any], field: str, method: str, key: str | None) -> Any:  # noqa: ANN401 -- see call
        """A field of ``answer`` without which it is of no use. Raises StoreError where it has none."""
        if answer.get(field) in (None, ""):
            raise StoreError(
                f"{self.operation(method)} {self.uri(key or '')}: the store's answer has no {field}",
                hint="splitjoin needs it: look at the store, or at a proxy before it",
            )
        return answer[field]

    def repeat(self, attempt: Callable[[], T], method: str, key: str | None, *, stoppable: bool = True) -> T:
        """``attempt()`` until it succeeds, fails for good, or has failed too often."""
        failed = 0
        while True:
            if stoppable and self.stop.is_set():
                raise StoreError(f"{self.operation(method)} {self.uri(key or '')}: stopped before it was done")
            try:
                return attempt()
            except aws.ERRORS as exc:
                failed += 1
                if (ours := aws.raised_by_body(exc)) is not None:
                    raise ours from exc
                if not self.retry.may_repeat(exc, failed) or (self.stop.is_set() and failed == STOPPED_ATTEMPTS):
                    raise
                self.stop.wait(self.retry.delay_seconds(failed))

    def operation(self, method: str) -> str:
        """``put_object`` as policies and messages name it: ``s3:PutObject``."""
        return "s3:" + str(self._client.meta.method_to_api_mapping[method])

    @contextlib.contextmanager
    def translating(self, method: str, key: str | None) -> Iterator[None]:
        """Make botocore's errors ours, whatever the block does with their codes first."""
        try:
            yield
        except aws.ERRORS as exc:
            raise aws.translate(exc, self.operation(method), self.uri(key or "")) from exc

    def checked(self, method: str, key: str | None, *, stoppable: bool = True, **parameters: object) -> dict[str, Any]:
        """``call``, where no code of an error is of interest: what it raises is ours."""
        with self.translating(method, key):
            return self.call(method, key, stoppable=stoppable, **parameters)

    def _common_of(self, method: str) -> dict[str, str]:
        if method not in self._known:
            name = self._client.meta.method_to_api_mapping[method]
            shape = self._client.meta.service_model.operation_model(name).input_shape
            self._known[method] = frozenset(shape.members)
        return {key: value for key, value in self._common.items() if key in self._known[method]}
