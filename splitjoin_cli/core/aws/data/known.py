"""A kind of request that botocore was seen to make, made again by ourselves for other keys, parts and moments."""

from __future__ import annotations

import hmac
import random
import uuid
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

__all__ = ["PARAMETERS", "Credentials", "KnownRequest", "Places", "UnusualRequestError", "learned", "places_of"]

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
VARIABLE = frozenset(
    {"authorization", "x-amz-date", "x-amz-security-token", "amz-sdk-invocation-id", "content-length", "expect"}
)
"""Headers that differ from one request to the next, beside those that the parameters make."""
FIXED = ("host", "user-agent", "x-amz-content-sha256", "amz-sdk-request", "accept-encoding", "accept")
"""Headers that may be sent again as they were. Any other one has a meaning that is not known here."""
PARAMETERS = frozenset(
    {
        *("Bucket", "Key", "Body", "Metadata", "UploadId", "PartNumber", "ChecksumCRC64NVME", "ContentMD5"),
        *("IfNoneMatch", "IfMatch", "RequestPayer", "ExpectedBucketOwner"),
        *("ServerSideEncryption", "SSEKMSKeyId", "StorageClass", "Tagging"),
    }
)
"""A request with any other one is botocore's: it may do more with it than to send it."""
FIRST_ATTEMPT = "attempt=1; max=1"
NOT_SIGNED = frozenset({"user-agent", "amz-sdk-request", "amz-sdk-invocation-id", "content-length", "expect"})


class UnusualRequestError(Exception):
    """Such a request is botocore's to make."""


class Credentials(Protocol):
    """botocore's, at one moment."""

    @property
    def access_key(self) -> str:
        """Named in the request."""

    @property
    def secret_key(self) -> str:
        """Signs it."""

    @property
    def token(self) -> str | None:
        """Goes with temporary ones."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where those parameters of an operation go that we use, by botocore's model of it.

    ``headers``: the header of each parameter, in lower case. ``prefixes``: that of its keys, for a map. ``query``: the
    name of each parameter in the query.
    """

    headers: Mapping[str, str]
    prefixes: Mapping[str, str]
    query: Mapping[str, str]

    def own_headers(self, parameters: Mapping[str, Any]) -> dict[str, str]:
        """The headers that parameters make. Raises UnusualRequestError for a value that no header holds as it is."""
        made = {word: str(parameters[name]) for name, word in self.headers.items() if name in parameters}
        for name, prefix in self.prefixes.items():
            for key, value in parameters.get(name, {}).items():
                made[prefix + key.lower()] = value
        for value in made.values():
            if not (value.isascii() and value.isprintable() and value.strip() == value):
                raise UnusualRequestError
        return made


def places_of(operation: Any) -> Places:  # noqa: ANN401 -- botocore's OperationModel
    """Read the model. Raises UnusualRequestError where it is another one than at the time of writing."""
    headers, prefixes, query = {}, {}, {}
    for name in PARAMETERS & operation.input_shape.members.keys():
        member = operation.input_shape.members[name]
        where, word = member.serialization.get("location"), member.serialization.get("name", name)
        if where == "header" and member.type_name == "string":
            headers[name] = word.lower()
        elif where == "headers":
            prefixes[name] = word.lower()
        elif where == "querystring" and member.type_name in {"string", "integer"}:
            query[name] = word
        elif where != "uri" and name != "Body":
            raise UnusualRequestError
    return Places(headers, prefixes, query)


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """All requests to one bucket that differ in their key and in parameters that ``Places`` knows.

    ``before_key``: the path up to the key. ``fixed``: headers that stay. ``region`` and ``service``: of the signature.
    """

    method: str
    scheme: str
    netloc: str
    before_key: str
    fixed: Mapping[str, str]
    region: str
    service: str
    _keys: dict[tuple[str, str], bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def origin(self) -> str:
        """``https://host:port``."""
        return f"{self.scheme}://{self.netloc}"

    def target(self, parameters: Mapping[str, Any], places: Places) -> tuple[str, str]:
        """Path and query, as they go into the request."""
        path = self.before_key + quote(parameters["Key"].encode(), safe="/~")
        words = places.query
        pairs = (
            f"{words[name]}={quote(str(value).encode(), safe='-_.~')}"
            for name, value in parameters.items()
            if name in words
        )
        return path, "&".join(pairs)

    def headers(
        self, target: tuple[str, str], own: Mapping[str, str], credentials: Credentials, timestamp: str
    ) -> dict[str, str]:
        """All headers but those of the body's length, signed with Signature Version 4 for ``timestamp``.

        AWS General Reference, "Create a signed AWS API request". The payload is not signed: its own digest is a header
        that is. ``own``: the headers of the request's parameters.
        """
        path, query = target
        headers = {**self.fixed, **own, "x-amz-date": timestamp}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        signed = sorted(headers.keys() - NOT_SIGNED)
        names, date = ";".join(signed), timestamp[:8]
        canonical = [self.method, path, "&".join(sorted(query.split("&")))]
        canonical += [f"{name}:{' '.join(headers[name].split())}" for name in signed]
        canonical += ["", names, UNSIGNED_PAYLOAD]
        scope = f"{date}/{self.region}/{self.service}/aws4_request"
        digest = sha256("\n".join(canonical).encode()).hexdigest()
        key = self._signing_key(credentials.secret_key, date)
        signature = hmac.digest(key, f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}".encode(), "sha256").hex()
        headers["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        # A name to look the request up by in logs; what the system gives for secrets costs a call of it each time.
        headers["amz-sdk-invocation-id"] = str(uuid.UUID(int=random.getrandbits(128), version=4))
        return headers

    def _signing_key(self, secret: str, date: str) -> bytes:
        """The key that signs a day's requests; made once. Another secret or day takes its place."""
        kept = self._keys.get((secret, date))
        if kept is None:
            kept = f"AWS4{secret}".encode()
            for part in (date, self.region, self.service, "aws4_request"):
                kept = hmac.digest(kept, part.encode(), "sha256")
            self._keys.clear()
            self._keys[secret, date] = kept
        return kept


def learned(
    request: Any,  # noqa: ANN401 -- botocore's AWSPreparedRequest
    places: Places,
    parameters: Mapping[str, Any],
    credentials: Credentials,
) -> KnownRequest:
    """What ``request`` shows, botocore's own for ``parameters``.

    It counts only when the same request comes out of it, signature and all: whatever botocore did that is not known
    here (another kind of endpoint or signature, a hook of the caller's) makes it another one. Raises
    UnusualRequestError then.
    """
    seen = {name.lower(): _text(value) for name, value in request.headers.items()}
    parts = urlsplit(request.url)
    seen.setdefault("host", _host(parts))
    key = quote(parameters["Key"].encode(), safe="/~")
    scope = seen.get("authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    if len(scope) != 5 or not parts.path.endswith(f"/{key}"):  # noqa: PLR2004 -- key, date, region, service, aws4_request
        raise UnusualRequestError
    fixed = {name: seen[name] for name in FIXED if name in seen}  # the host first (RFC 9110, section 7.2)
    known = KnownRequest(
        method=request.method,
        scheme=parts.scheme,
        netloc=parts.netloc,
        before_key=parts.path.removesuffix(key),
        fixed=fixed,
        region=scope[2],
        service=scope[3],
    )
    path, query = known.target(parameters, places)
    made = known.headers((path, query), places.own_headers(parameters), credentials, seen.get("x-amz-date", ""))
    same = {name: value for name, value in seen.items() if name not in VARIABLE or name == "authorization"}
    if f"{known.origin}{path}{'?' if query else ''}{query}" != request.url or parts.fragment:
        raise UnusualRequestError
    if same != {name: value for name, value in made.items() if name not in VARIABLE or name == "authorization"}:
        raise UnusualRequestError
    if fixed.get("x-amz-content-sha256") != UNSIGNED_PAYLOAD or seen.keys() - made.keys() - VARIABLE:
        raise UnusualRequestError
    return replace(known, fixed={**fixed, "amz-sdk-request": FIRST_ATTEMPT})  # this one may have been a repeat


def _host(parts: SplitResult) -> str:
    """As botocore signs it, which leaves the header itself to its HTTP client unless awscrt signs."""
    usual = {"http": ":80", "https": ":443"}
    return parts.netloc.rpartition("@")[2].removesuffix(usual.get(parts.scheme, ":"))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
