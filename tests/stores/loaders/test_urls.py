"""Database URLs: what they name, and that no password gets through or out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.open import open_loader
from splitjoin_cli.stores.loaders.urls import DatabaseUrl, parse

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "parsed", "shown"),
    [
        ("sqlite:a/b c.db", DatabaseUrl("sqlite", "a/b c.db"), "sqlite:a/b c.db"),
        ("duckdb:///x.db", DatabaseUrl("duckdb", "/x.db"), "duckdb:/x.db"),
        ("mysql://ann@db:3307/shop", DatabaseUrl("mysql", "shop", "db", 3307, "ann"), "mysql://ann@db:3307/shop"),
        ("mysql://a%40b@db/shop", DatabaseUrl("mysql", "shop", "db", None, "a@b"), "mysql://a@b@db/shop"),
        (
            "aurora-postgresql://ann@db/shop?s3-region=eu-west-1&sslmode=require",
            DatabaseUrl(
                "aurora-postgresql", "shop", "db", None, "ann", {"s3-region": "eu-west-1", "sslmode": "require"}
            ),
            "aurora-postgresql://ann@db/shop",
        ),
        (
            "postgresql:///shop?host=/run/pg",
            DatabaseUrl("postgresql", "shop", "", None, None, {"host": "/run/pg"}),
            "postgresql:///shop",
        ),
    ],
)
def test_parse(url: str, parsed: DatabaseUrl, shown: str) -> None:
    """Every part, and how messages call it."""
    assert parse(url) == parsed
    assert str(parsed) == shown


@pytest.mark.parametrize(
    "url", ["mysql://ann:s3cr3t@db/shop", "postgresql://ann@db/shop?password=s3cr3t", "mysql://ann:@db/shop"]
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    """Process lists show it already; logs need not."""
    with pytest.raises(UsageError) as caught:
        parse(url)
    scheme = url.partition(":")[0]
    assert caught.value.message == f"the {scheme} URL holds a password, and process lists show it"
    assert caught.value.hint == "leave it out and set SPLITJOIN_DB_PASSWORD"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3cr3t", "not a database's URL"),
        ("oracle://ann:s3cr3t@db/shop", "not a database's URL"),
        ("sqlite:", "sqlite: names no file"),
        ("sqlite::memory:", "sqlite::memory: is not a file: what is loaded would be lost with the process"),
        ("duckdb::memory:shared", "duckdb::memory: is not a file: what is loaded would be lost with the process"),
        ("mysql://ann@db", "not a mysql URL"),
        ("mysql://ann@db:s3cr3t/shop", "not a mysql URL"),
        ("mysql://ann@db/shop?local=1", "a mysql URL has no option 'local'"),
        ("postgresql:///shop", "not a postgresql URL"),
    ],
)
def test_what_cannot_be_meant(url: str, said: str) -> None:
    """A usage error that repeats nothing which might be secret."""
    with pytest.raises(UsageError) as caught:
        parse(url)
    assert caught.value.message.startswith(said)
    assert caught.value.hint
    assert "s3cr3t" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:{}/a.db", "SqliteLoader"),
        ("duckdb:{}/a.db", "DuckdbLoader"),
        ("mysql://ann@db/shop", "MysqlLoader"),
        ("postgresql://ann@db/shop", "PostgresqlLoader"),
        ("aurora-mysql://ann@db/shop", "AuroraMysqlLoader"),
        ("aurora-postgresql://ann@db/shop?s3-region=eu-west-1", "AuroraPostgresqlLoader"),
    ],
)
def test_open_loader(url: str, name: str, tmp_path: Path) -> None:
    """Each scheme's own, not connected yet."""
    loader = open_loader(parse(url.format(tmp_path)), LoadTarget("people"), login="s3cr3t")
    assert type(loader).__name__ == name
    assert loader.properties.reads_s3 == url.startswith("aurora-")
    assert loader.properties.table == "people"
    assert "s3cr3t" not in str(loader.properties)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra of this package."""
    monkeypatch.delitem(sys.modules, "splitjoin_cli.stores.loaders.duckdb", raising=False)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError) as caught:
        open_loader(parse("duckdb:x.db"), LoadTarget("people"))
    assert caught.value.message == "duckdb needs duckdb, which is not installed"
    assert caught.value.hint == "pip install 'duckdb'"


@pytest.mark.parametrize("table", ["", ".a", "a.", "a.b.c", "a\0"])
def test_targets_are_checked(table: str) -> None:
    """A table's name, or a schema and a name."""
    with pytest.raises(ValueError, match=r"^not a table's name: "):
        LoadTarget(table)
