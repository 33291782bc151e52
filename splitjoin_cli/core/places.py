"""Where a split lies: a directory, or a prefix on S3. Parsed once, where the user's words come in."""

from __future__ import annotations

from dataclasses import dataclass

from splitjoin_cli.core.errors import UsageError

__all__ = ["DirectoryPlace", "Place", "S3Place", "is_http", "is_s3", "parse_place"]

HINT = "write the path of a directory, or s3://bucket/prefix/"


@dataclass(frozen=True, slots=True)
class DirectoryPlace:
    """A directory of this machine, as it was typed; it may be missing."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class S3Place:
    """What lies under a prefix of a bucket. ``prefix`` is empty or ends with ``/``: a place is no single object."""

    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        if self.prefix and not self.prefix.endswith("/"):
            object.__setattr__(self, "prefix", f"{self.prefix}/")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


Place = DirectoryPlace | S3Place


def is_s3(text: str) -> bool:
    """Whether a source, place or object is named by its address on S3."""
    return text.startswith("s3://")


def is_http(text: str) -> bool:
    """Whether a source is named by a URL of http or https."""
    return text.partition("://")[0].lower() in ("http", "https") and "://" in text


def parse_place(text: str) -> Place:
    """The place that ``text`` names. Raises UsageError for what is neither a directory nor an S3 prefix."""
    if text in ("", "-"):
        raise UsageError(f"{text!r} is neither a directory nor an S3 prefix", hint=HINT)
    scheme, separator, rest = text.partition(":")
    if separator and scheme.lower() == "s3" and (scheme != "s3" or not rest.startswith("//")):
        raise UsageError(f"{text!r} looks like S3 and is not s3://bucket/prefix/", hint=HINT)
    bucket, _, prefix = rest.removeprefix("//").partition("/")
    if rest.startswith("//") and (scheme != "s3" or not bucket):
        raise UsageError(f"{text!r} is neither a directory nor an S3 prefix", hint=HINT)
    return S3Place(bucket, prefix) if is_s3(text) else DirectoryPlace(text)
