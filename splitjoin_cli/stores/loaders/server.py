"""What loaders share whose database is a server: logins that may be renewed, connections that age, values as ``%s``."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from splitjoin_cli.stores.loaders.ledger import LedgerLoader
from splitjoin_cli.stores.loaders.login import Login, Logins, connected, logins_of
from splitjoin_cli.stores.loaders.session import QUESTION_MARK, Session

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import LoadTarget
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl

__all__ = ["CONNECT_SECONDS", "ServerLoader"]

CONNECT_SECONDS = 20


class ServerLoader(LedgerLoader):
    """See Loader. The driver's values are ``%s`` (``session.pyformat``)."""

    own_lock = " FOR UPDATE"
    idle_seconds = 60.0

    def __init__(self, url: DatabaseUrl, login: Logins | str | None, target: LoadTarget) -> None:
        """``login``: a password, None where none is needed or ``~/.pgpass`` holds it, or where logins come from."""
        super().__init__(str(url), target)
        self._url = url
        self._logins = logins_of(login)

    @abstractmethod
    def _open(self, url: DatabaseUrl, password: str | None) -> Session:
        """A new connection of one user. Raises the driver's errors."""

    @abstractmethod
    def _is_refusal(self, error: Exception) -> bool:
        """Whether the server answered, and knows no such user with such a password."""

    def _connect(self) -> Session:
        return connected(self._logins, self._session_of, self._is_refusal)

    def _session_of(self, login: Login) -> Session:
        return self._open(login.applied(self._url), login.password)

    def _as_parameterised(self, sql: str) -> str:
        return sql.replace("%", "%%").replace("?", QUESTION_MARK)
