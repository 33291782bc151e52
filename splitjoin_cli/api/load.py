"""From what a user says of the database to its loader: URL, table, and who may log in."""

# Each implementation is imported only when a URL asks for it: botocore and the databases' drivers are slow to import.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.stores.loaders.urls import EMBEDDED, PASSWORD_VARIABLE

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.stores.loaders.base import LedgerReader, Loader
    from splitjoin_cli.stores.loaders.login import Logins

__all__ = ["LoadRequest", "open_ledger", "open_loader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """Where chunks are to be loaded, as it was asked for.

    ``into``: the database's URL. ``table``: None for the client's name, whatever clients come. ``secret``: the ARN of
    the Secrets Manager secret with user and password; None for the variable SPLITJOIN_DB_PASSWORD, if that is set.
    """

    into: str
    table: str | None = None
    create_table: bool = False
    run_column: str | None = None
    beside_other_run: bool = False
    secret: str | None = None


def open_loader(request: LoadRequest, aws: AwsOptions | None = None) -> Loader:
    """The loader for a request; neither the database nor the secret is asked for yet. Raises UsageError."""
    from splitjoin_cli.stores.loaders import open as loaders
    from splitjoin_cli.stores.loaders.base import LoadTarget
    from splitjoin_cli.stores.loaders.by_client import LoaderByClient
    from splitjoin_cli.stores.loaders.reserved import ReservedNameError

    login = _login(request, aws)
    region = None if aws is None else aws.region

    def open_table(table: str) -> Loader:
        try:
            target = LoadTarget(
                table,
                create_table=request.create_table,
                run_column=request.run_column,
                beside_other_run=request.beside_other_run,
            )
        except ReservedNameError as exc:
            raise UsageError(str(exc), hint=exc.hint) from exc
        except ValueError as exc:
            raise UsageError(str(exc)) from exc
        return loaders.open_loader(request.into, target, login=login, region=region)

    return LoaderByClient(open_table) if request.table is None else open_table(request.table)


def open_ledger(request: LoadRequest, aws: AwsOptions | None = None) -> LedgerReader:
    """What reads the ledger of a request's database, whatever the table; not connected yet. Raises UsageError."""
    from splitjoin_cli.stores.loaders import open as loaders

    region = None if aws is None else aws.region
    return loaders.open_ledger(request.into, login=_login(request, aws), region=region)


def _login(request: LoadRequest, aws: AwsOptions | None) -> Logins | str | None:
    scheme = request.into.partition(":")[0]
    if scheme in EMBEDDED or request.secret is None:
        return os.environ.get(PASSWORD_VARIABLE)
    from splitjoin_cli.stores.loaders.secret import SecretLogins

    return SecretLogins(request.secret, aws)
