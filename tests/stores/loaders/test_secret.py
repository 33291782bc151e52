"""Logins that Secrets Manager keeps: fetched once, fetched again when refused, and never shown."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.errors import AccessError, LoadError, NotFoundError, SplitjoinError, StoreError, UsageError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.login import GivenPassword, Login
from splitjoin_cli.stores.loaders.mysql import MysqlLoader
from splitjoin_cli.stores.loaders.postgresql import PostgresqlLoader
from splitjoin_cli.stores.loaders.secret import SecretLogins
from splitjoin_cli.stores.loaders.urls import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.dynamodb import DynamoDbServer
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1a2b-Xy/z+=.@_-AbCdEf"
TARGET = LoadTarget("people", create_table=True)
SHAPE = 'it is JSON with "username" and "password", as RDS writes it'


class Keeps:
    """A client of Secrets Manager that keeps one secret, and counts how often it is asked."""

    def __init__(self, **fields: object) -> None:
        self.answer: dict[str, Any] = {}
        self.asked: list[str] = []
        self.keep(**fields)

    def keep(self, **fields: object) -> None:
        self.answer = {"SecretString": json.dumps(fields)}

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 -- boto3's own name
        self.asked.append(SecretId)
        return self.answer


class Refuses:
    """A client of Secrets Manager that answers with an error."""

    def __init__(self, code: str) -> None:
        self._code = code

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 -- boto3's own name
        del SecretId
        raise ClientError({"Error": {"Code": self._code, "Message": "said"}}, "GetSecretValue")


@pytest.fixture
def account(mariadb: MariadbDatabase) -> Iterator[str]:
    """An account of MariaDB, whose first password is ``old``."""
    name = f"u{secrets.token_hex(6)}"
    mariadb.query(f"CREATE USER {name} IDENTIFIED BY 'old-s3cr3t'")
    mariadb.query(f"GRANT ALL ON {mariadb.name}.* TO {name}")
    yield name
    mariadb.query(f"DROP USER {name}")


@pytest.mark.parametrize(
    "text",
    ["", "s3cr3t", "arn:aws:iam::123456789012:role/s3cr3t", "arn:aws:secretsmanager:eu-west-1:1:secret:x", ARN + " "],
)
def test_what_is_no_arn_is_refused_and_not_repeated(text: str) -> None:
    """It may be the password itself."""
    with pytest.raises(UsageError) as caught:
        SecretLogins(text)
    assert caught.value.message == "not the ARN of a secret"
    assert caught.value.hint == "--secret (SPLITJOIN_SECRET) is arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"


def test_it_is_fetched_once_and_never_shown() -> None:
    """In no repr, and taken out of what a driver says."""
    client = Keeps(username="me", password="s3cr3t", host="db", port="3307", dbname="sales")  # noqa: S106 -- of nobody
    logins = SecretLogins(ARN, client=client)
    assert client.asked == []
    assert [logins.current() for _ in range(3)] == [Login("me", "s3cr3t", "db", 3307)] * 3
    assert client.asked == [ARN]
    assert repr(logins.current()) == "Login(user='me', host='db', port=3307)"
    assert logins.hide("no entry for me with s3cr3t") == "no entry for me with ***"
    assert logins.origin == ARN


def test_the_url_says_where_and_the_secret_who() -> None:
    """The secret's port counts for its own host alone, where the URL has none."""
    url = DatabaseUrl("mysql", "sales", "db", None, "other")
    assert Login("me", "p", "db", 3307).applied(url) == replace(url, user="me", port=3307)
    assert Login("me", "p", "elsewhere", 3307).applied(url) == replace(url, user="me")
    assert Login("me", "p", "db", 3307).applied(replace(url, port=1)) == replace(url, user="me", port=1)
    assert Login(None, "p").applied(url) == url


def test_after_a_refusal_it_is_fetched_once_for_all_threads() -> None:
    """Whoever was refused the old login gets the new one; a login that did not change is not tried again."""
    client = Keeps(username="me", password="old")  # noqa: S106 -- of nobody
    logins = SecretLogins(ARN, client=client)
    refused = logins.current()
    assert logins.renewed(refused) is None
    assert len(client.asked) == 2
    client.keep(username="me_clone", password="new")  # noqa: S106 -- of nobody
    barrier = threading.Barrier(8)

    def renew(_: int) -> Login | None:
        barrier.wait(10)
        return logins.renewed(refused)

    with ThreadPoolExecutor(8) as executor:
        assert list(executor.map(renew, range(8))) == [Login("me_clone", "new")] * 8
    assert len(client.asked) == 3
    assert logins.hide("old and new") == "*** and ***"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"SecretString": "s3cr3t"}, "the secret is not a JSON object"),
        ({"SecretString": '["s3cr3t"]'}, "the secret is not a JSON object"),
        ({"SecretBinary": b"s3cr3t"}, "the secret is not a JSON object"),
        ({"SecretString": '{"password": "s3cr3t"}'}, "the secret has no username"),
        ({"SecretString": '{"username": "me", "pwd": "s3cr3t"}'}, "the secret has no password"),
        ({"SecretString": '{"username": "me", "password": 7}'}, "the secret has no password"),
    ],
)
def test_a_secret_of_another_form(answer: dict[str, Any], message: str) -> None:
    """The message names the action and the secret, and nothing that is in it."""
    client = Keeps()
    client.answer = answer
    with pytest.raises(StoreError) as caught:
        SecretLogins(ARN, client=client).current()
    assert caught.value.message == f"secretsmanager:GetSecretValue {ARN}: {message}"
    assert caught.value.hint == SHAPE


@pytest.mark.parametrize(
    ("code", "kind", "message", "hint"),
    [
        (
            "AccessDeniedException",
            AccessError,
            "access denied",
            "the identity in use needs secretsmanager:GetSecretValue",
        ),
        ("ResourceNotFoundException", NotFoundError, "not found", None),
        ("DecryptionFailure", StoreError, "DecryptionFailure: said", None),
    ],
)
def test_errors_name_the_action_and_the_secret(
    code: str, kind: type[SplitjoinError], message: str, hint: str | None
) -> None:
    """With the permission that is missing."""
    with pytest.raises(kind) as caught:
        SecretLogins(ARN, client=Refuses(code)).current()
    assert (caught.value.message, caught.value.hint) == (f"secretsmanager:GetSecretValue {ARN}: {message}", hint)


def test_the_arn_says_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the options or the environment say."""
    made: list[tuple[str, aws.AwsOptions]] = []

    def make(service: str, options: aws.AwsOptions, **_: object) -> Keeps:
        made.append((service, options))
        return Keeps(username="me", password="p")  # noqa: S106 -- of nobody

    monkeypatch.setattr(aws, "client", make)
    SecretLogins(ARN, aws.AwsOptions("profile", "us-east-1", "http://localhost:1")).current()
    assert made == [("secretsmanager", aws.AwsOptions("profile", "eu-west-1", "http://localhost:1"))]


def test_a_password_that_was_rotated_on_mariadb(mariadb: MariadbDatabase, account: str) -> None:
    """The secret is read again when the server refuses what it said before; connections that stand go on."""
    client = Keeps(username=account, password="old-s3cr3t")  # noqa: S106 -- of a server that lives as long as the test
    url = replace(mariadb.url, user=None)
    with contextlib.closing(MysqlLoader(url, SecretLogins(ARN, client=client), TARGET)) as loader:
        loader.prepare()
        mariadb.query(f"SET PASSWORD FOR {account} = PASSWORD('new-s3cr3t')")
        assert loader.ledger_numbers("job", "run") == []
        loader.close()
        with pytest.raises(LoadError) as caught:
            loader.ledger_numbers("job", "run")
        assert len(client.asked) == 2
        assert caught.value.message.startswith(f"mysql://127.0.0.1:{url.port}/{url.database}: Access denied for user")
        assert caught.value.hint == f"check the user, {ARN} and the account's privileges"
        assert "s3cr3t" not in str(caught.value)
        client.keep(username=account, password="new-s3cr3t")  # noqa: S106 -- see above
        assert loader.ledger_numbers("job", "run") == []
    assert len(client.asked) == 3


def test_a_user_that_was_rotated_on_postgresql(postgres: PostgresDatabase) -> None:
    """Where rotation alternates between two users, the other one counts."""
    client = Keeps(username="gone", password="old-s3cr3t")  # noqa: S106 -- of a server that lives as long as the test
    logins = SecretLogins(ARN, client=client)
    assert logins.current().user == "gone"
    client.keep(username=postgres.url.user or "postgres", password="new-s3cr3t")  # noqa: S106 -- see above
    with contextlib.closing(PostgresqlLoader(replace(postgres.url, user=None), logins, TARGET)) as loader:
        assert loader.ledger_numbers("job", "run") == []
    assert len(client.asked) == 2


def test_a_server_that_cannot_be_reached_is_no_refusal(postgres: PostgresDatabase, mariadb: MariadbDatabase) -> None:
    """The secret is not read again for it."""
    client = Keeps(username="me", password="s3cr3t")  # noqa: S106 -- of nobody
    for loader in (
        PostgresqlLoader(replace(postgres.url, port=1), SecretLogins(ARN, client=client), TARGET),
        MysqlLoader(replace(mariadb.url, port=1), SecretLogins(ARN, client=client), TARGET),
    ):
        with pytest.raises(LoadError):
            loader.prepare()
    assert len(client.asked) == 2


def test_a_given_password_stays() -> None:
    """There is no other; and it is hidden too."""
    given = GivenPassword("s3cr3t")
    assert given.renewed(given.current()) is None
    assert given.hide("a s3cr3t") == "a ***"
    assert GivenPassword(None).hide("text") == "text"


def test_against_a_server_of_secrets(ministack_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real client: made, rotated, missing."""
    ministack_server.use(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", ministack_server.endpoint_url)
    keeper = aws.client("secretsmanager")
    fields = {"engine": "mysql", "username": "me", "password": "old-s3cr3t", "host": "db", "port": 3306}
    arn = keeper.create_secret(Name=f"db-{secrets.token_hex(4)}", SecretString=json.dumps(fields))["ARN"]
    logins = SecretLogins(arn)
    refused = logins.current()
    assert refused == Login("me", "old-s3cr3t", "db", 3306)
    keeper.put_secret_value(SecretId=arn, SecretString=json.dumps({**fields, "password": "new-s3cr3t"}))
    assert logins.current() == refused
    assert logins.renewed(refused) == Login("me", "new-s3cr3t", "db", 3306)
    missing = arn.replace("db-", "no-")
    with pytest.raises(NotFoundError) as caught:
        SecretLogins(missing).current()
    assert caught.value.message == f"secretsmanager:GetSecretValue {missing}: not found"
