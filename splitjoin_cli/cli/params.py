"""What option values look like: sizes, durations, single bytes, tags."""

from __future__ import annotations

import click

from splitjoin_cli.core.aws.options import check_endpoint
from splitjoin_cli.core.model import MAX_DELIMITER_BYTES
from splitjoin_cli.core.ranges import parse_ranges
from splitjoin_cli.core.shown import in_quotes
from splitjoin_cli.core.units import MAX_INTEGER, parse_rate, parse_seconds, parse_size

NAMED_PATH = click.Path(readable=False)
"""A place or file that a user names, for the shell to complete. Whether it may be read is not asked here: that it may
not is no wrong command line, and whoever opens it says so."""


class Size(click.ParamType[int]):
    """Bytes: ``64MiB``, ``100MB``, ``1.5G``, plain bytes; K and KiB are 1024, KB is 1000; case does not count."""

    name = "SIZE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """An int in bytes, from 1 to 2**63 - 1."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class Rate(click.ParamType[int]):
    """Bytes per second: a size, with or without ``/s``."""

    name = "RATE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """An int in bytes per second, from 1 to 2**63 - 1."""
        if isinstance(value, int):
            return value
        try:
            return parse_rate(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class Count(click.ParamType[int]):
    """A number from ``least`` to ``most``, in ASCII digits: int() takes ``1_000`` and other scripts' digits as well."""

    name = "N"

    def __init__(self, most: int = MAX_INTEGER, *, least: int = 1) -> None:
        """``least`` and ``most`` are allowed themselves."""
        self.least, self.most = least, most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """An int from ``least`` to ``most``."""
        if isinstance(value, int):
            return value
        text = str(value)
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_INTEGER))
        if not digits or not self.least <= int(text) <= self.most:
            self.fail(f"{in_quotes(str(value))} is not a number from {self.least} to {self.most}", param, ctx)
        return int(text)


class NumberRanges(click.ParamType[str]):
    """Chunk numbers: ``3,7-9``."""

    name = "NUMBERS"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, which names numbers."""
        try:
            parse_ranges(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
        return str(value)


class Duration(click.ParamType[float]):
    """Seconds: ``90s``, ``15m``, ``2h``, ``1d``, plain seconds."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A float in seconds, above 0."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_seconds(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class Delimiter(click.ParamType[str]):
    r"""1 to 8 bytes of UTF-8 without CR and LF; ``\t`` and ``tab`` are the tab."""

    name = "TEXT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text."""
        text = "\t" if value in ("\\t", "tab") else str(value)
        if text == "none":
            self.fail("each record has a delimiter: leave the option out for a comma", param, ctx)
        size = len(text.encode("utf-8", "surrogatepass"))
        if not 1 <= size <= MAX_DELIMITER_BYTES or set(text) & {"\r", "\n"}:
            self.fail(
                f"{in_quotes(str(value))} is not 1 to {MAX_DELIMITER_BYTES} bytes of UTF-8 without CR and LF",
                param,
                ctx,
            )
        return text


class OneByteOrNone(click.ParamType[str]):
    r"""One ASCII byte other than CR and LF, or ``none``; ``\t`` and ``tab`` are the tab."""

    name = "CHAR"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The character; the empty text for ``none``, since None is what click takes for absent."""
        if value in ("none", ""):
            return ""
        text = "\t" if value in ("\\t", "tab") else str(value)
        if len(text) != 1 or not text.isascii() or text in "\r\n":
            self.fail(f"{in_quotes(str(value))} is not one ASCII byte other than CR and LF", param, ctx)
        return text


class NullText(click.ParamType[str]):
    """What means NULL; the empty text is one. A variable holds one of them, whatever it is."""

    name = "TEXT"

    def split_envvar_value(self, rv: str) -> list[str]:
        """The one text."""
        return [rv]


class Text(click.ParamType[str]):
    """Any text but none: an empty variable in a script must not silently mean the default."""

    name = "TEXT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text."""
        if not str(value).strip():
            self.fail("it is empty: leave the option out, or give it a value", param, ctx)
        return str(value)


class Tag(click.ParamType[tuple[str, str]]):
    """An object tag, ``K=V``: S3 takes keys of 1 to 128 characters and values of up to 256."""

    name = "K=V"
    envvar_list_splitter = ","  # which S3 takes neither in keys nor in values; spaces it does
    max_key = 128
    max_value = 256

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Key and value."""
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not equals or not 1 <= len(key) <= self.max_key or len(text) > self.max_value:
            self.fail(
                f"{in_quotes(str(value))} is not K=V with a key of 1 to 128 characters and a value of up to 256",
                param,
                ctx,
            )
        return key, text


class Setting(click.ParamType[tuple[str, str]]):
    """A template parameter's value, ``NAME=VALUE``."""

    name = "NAME=VALUE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Name and value."""
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not equals or not name:
            self.fail("it is not NAME=VALUE", param, ctx)
        return name, text


class EndpointUrl(click.ParamType[str]):
    """An ``http://`` or ``https://`` URL without user and password."""

    name = "URL"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The URL as it was given; one that holds a password is not repeated in the message."""
        try:
            check_endpoint(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
        return str(value)
