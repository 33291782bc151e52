"""Database URLs: parsed, and refused where they hold a password, which process lists and logs would show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from splitjoin_cli.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EMBEDDED", "PASSWORD_VARIABLE", "DatabaseUrl", "parse"]

PASSWORD_VARIABLE = "SPLITJOIN_DB_PASSWORD"  # noqa: S105 -- the variable's name, not a password
EMBEDDED = frozenset({"sqlite", "duckdb"})
_MYSQL = frozenset({"ssl-ca", "ssl-mode", "unix-socket"})
_POSTGRESQL = frozenset({"sslmode", "sslrootcert", "host"})
OPTIONS: Mapping[str, frozenset[str]] = {
    "mysql": _MYSQL,
    "aurora-mysql": _MYSQL | {"s3-region"},
    "postgresql": _POSTGRESQL,
    "aurora-postgresql": _POSTGRESQL | {"s3-region"},
}
"""What may follow ``?`` in a server's URL."""


SHAPES = (*(f"{scheme}:PATH" for scheme in sorted(EMBEDDED)), *(f"{scheme}://USER@HOST/DATABASE" for scheme in OPTIONS))


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """``SCHEME:PATH`` of an embedded database, or ``SCHEME://USER@HOST[:PORT]/DATABASE[?OPTION=VALUE&...]``.

    ``database``: the file's path, or the database's name. ``user`` and ``port``: None for the driver's default.
    """

    scheme: str
    database: str
    host: str = ""
    port: int | None = None
    user: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The URL as messages show it: no options, and never a password, which this value cannot hold."""
        if self.scheme in EMBEDDED:
            return f"{self.scheme}:{self.database}"
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{user}{self.host}{port}/{self.database}"


def parse(url: str) -> DatabaseUrl:
    """The database that ``url`` names. Raises UsageError, which quotes no part that may hold a password."""
    scheme, colon, rest = url.partition(":")
    if colon and scheme in EMBEDDED:
        return _embedded(scheme, rest)
    if not colon or scheme not in OPTIONS:
        raise UsageError("not a database's URL", hint=f"write one of {', '.join(SHAPES)}")
    return _server(scheme, url)


def _embedded(scheme: str, rest: str) -> DatabaseUrl:
    path = rest.removeprefix("//")
    if not path:
        raise UsageError(f"{scheme}: names no file", hint=f"give one: {scheme}:PATH")
    if path.startswith(":memory:"):
        raise UsageError(
            f"{scheme}::memory: is not a file: what is loaded would be lost with the process",
            hint=f"give one: {scheme}:PATH",
        )
    return DatabaseUrl(scheme, path)


def _server(scheme: str, url: str) -> DatabaseUrl:
    shape = f"{scheme}://USER@HOST[:PORT]/DATABASE"
    try:
        parts = urlsplit(url)
        password, port = parts.password, parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise UsageError(f"not a {scheme} URL", hint=f"its shape is {shape}") from None
    if password is not None or {"password", "passwd", "pwd"} & {name.lower() for name in options}:
        raise UsageError(
            f"the {scheme} URL holds a password, and process lists show it",
            hint=f"leave it out and set {PASSWORD_VARIABLE}",
        )
    unknown = sorted(set(options) - OPTIONS[scheme])
    if unknown:
        allowed = ", ".join(sorted(OPTIONS[scheme]))
        raise UsageError(f"a {scheme} URL has no option {unknown[0]!r}", hint=f"there are {allowed}")
    database = unquote(parts.path.removeprefix("/"))
    if (
        parts.fragment
        or not database
        or "/" in database
        or not (parts.hostname or {"unix-socket", "host"} & set(options))
    ):
        raise UsageError(f"not a {scheme} URL", hint=f"its shape is {shape}")
    user = unquote(parts.username) if parts.username else None
    return DatabaseUrl(scheme, database, parts.hostname or "", port, user, options)
