"""What a user says of AWS: apart from the client, so that who does not speak to AWS need not import botocore."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from splitjoin_cli.core.errors import UsageError

if TYPE_CHECKING:
    from boto3.session import Session as Session  # noqa: PLC0414 -- others take the type from here

__all__ = ["AwsOptions", "ObjectOptions", "check_endpoint"]

MAX_TAGS = 10


def check_endpoint(url: str) -> None:
    """Raise ValueError for what is no ``http(s)://`` URL, or holds a login, which is not repeated."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("an endpoint holds no user or password: use AWS_* variables or --profile")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{url!r} is not an http:// or https:// URL")


@dataclass(frozen=True, slots=True)
class AwsOptions:
    """What a user overrides; ``None`` leaves it to AWS_* variables and profiles, as the AWS CLI has it.

    ``session``: makes the clients, with its own credentials and profile, instead of what the environment says.
    """

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    session: Session | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.endpoint_url is not None:
            try:
                check_endpoint(self.endpoint_url)
            except ValueError as exc:
                raise UsageError(f"--endpoint-url: {exc}") from exc
        if self.session is not None and self.profile is not None:
            raise UsageError("a session has a profile of its own", hint="leave --profile out, or the session")


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    """What the objects get and how the bucket is addressed, in the words of the AWS CLI; None and () leave it out.

    ``content_encoding``: of chunks, as the header says it; None for none.
    """

    sse: str | None = None
    sse_kms_key_id: str | None = None
    storage_class: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    request_payer: bool = False
    expected_bucket_owner: str | None = None
    content_encoding: str | None = None

    def __post_init__(self) -> None:
        if self.sse_kms_key_id and self.sse != "aws:kms":
            raise UsageError("--sse-kms-key-id needs --sse aws:kms", hint="add --sse aws:kms")
        if len(self.tags) > MAX_TAGS:
            raise UsageError(f"{len(self.tags)} tags were given; S3 takes {MAX_TAGS} for an object")
        keys = [key for key, _ in self.tags]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise UsageError(f"the tag {twice!r} was given twice")

    @property
    def payer(self) -> str | None:
        """RequestPayer, as S3's requests have it."""
        return "requester" if self.request_payer else None

    def common(self) -> dict[str, str]:
        """Parameters of every operation that knows them."""
        return _present(RequestPayer=self.payer, ExpectedBucketOwner=self.expected_bucket_owner)

    def new_chunk(self) -> dict[str, str]:
        """Parameters of the operations that make a chunk."""
        return {
            **self.new_small_object(),
            **_present(StorageClass=self.storage_class, ContentEncoding=self.content_encoding),
        }

    def new_small_object(self) -> dict[str, str]:
        """The same for plans and manifests, which stay in the default class: they are read soon and often."""
        tagging = urlencode(self.tags) or None
        return _present(ServerSideEncryption=self.sse, SSEKMSKeyId=self.sse_kms_key_id, Tagging=tagging)


def _present(**parameters: str | None) -> dict[str, str]:
    return {key: value for key, value in parameters.items() if value is not None}
