"""Who a loader is to its database: a password given once, or a login that is fetched again when it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from splitjoin_cli.stores.loaders.urls import PASSWORD_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.stores.loaders.urls import DatabaseUrl

__all__ = ["GivenPassword", "Login", "Logins", "connected", "logins_of"]

T = TypeVar("T")

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Login:
    """``user``: None for the URL's. ``password``: None where the account has none; it is in no repr.

    ``host`` and ``port``: of the server that it is for, where that is known.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None

    def applied(self, url: DatabaseUrl) -> DatabaseUrl:
        """``url`` with this user; with this port too where it has none and names the same host."""
        port = url.port or (self.port if self.host == url.host else None)
        return replace(url, user=self.user or url.user, port=port)


class Logins(Protocol):
    """Where logins come from. Thread-safe."""

    @property
    def origin(self) -> str:
        """What a message tells to check: the variable's name, or the secret's ARN."""

    def current(self) -> Login:
        """The login to use now. Raises AccessError, NotFoundError, StoreError where it cannot be fetched."""

    def renewed(self, refused: Login) -> Login | None:
        """After the database refused one: another that is valid now, or None where there is none. Raises as above."""

    def hide(self, text: str) -> str:
        """``text`` without any password that was ever given out here."""


class GivenPassword:
    """Logins that never change: the URL's user, and a password."""

    def __init__(self, password: str | None) -> None:
        """``password``: None where the account has none."""
        self._login = Login(password=password)

    @property
    def origin(self) -> str:
        """The variable that passwords come from."""
        return PASSWORD_VARIABLE

    def current(self) -> Login:
        """See Logins."""
        return self._login

    def renewed(self, refused: Login) -> Login | None:
        """See Logins: there is no other."""

    def hide(self, text: str) -> str:
        """See Logins."""
        return text.replace(self._login.password, HIDDEN) if self._login.password else text


def logins_of(login: Logins | str | None) -> Logins:
    """What a loader was given, as Logins: a password stands for itself."""
    return GivenPassword(login) if login is None or isinstance(login, str) else login


def connected(logins: Logins, connect: Callable[[Login], T], is_refusal: Callable[[Exception], bool]) -> T:
    """What ``connect`` makes of the current login; where the database refuses that, of a newer one.

    A rotation that is under way has changed the password and not the secret yet: the error stands then, and the next
    delivery of the event meets the new secret.
    """
    login = logins.current()
    try:
        return connect(login)
    except Exception as exc:
        newer = logins.renewed(login) if is_refusal(exc) else None
        if newer is None:
            raise
    return connect(newer)
