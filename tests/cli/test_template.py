"""``splitjoin template``: a template on stdout, talk on stderr, options as defaults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran

    Splitjoin = Callable[..., Ran]

INTO = "mysql://loader@db.example.com/sales"

OWN = "names that begin with splitjoin_ are reserved for splitjoin's own tables"


def test_the_template_is_on_stdout(splitjoin: Splitjoin) -> None:
    """As a file to deploy; stderr says what is still to be given, unless it is to be quiet."""
    ran = splitjoin("template")
    assert (ran.code, ran.stderr) == (0, "To be given when it is deployed: CodeBucket, Into\n")
    assert ran.document["AWSTemplateFormatVersion"] == "2010-09-09"
    assert ran.stdout.startswith('{\n "AWSTemplateFormatVersion"')
    assert splitjoin("template", "-q").stderr == ""


def test_json_is_one_line(splitjoin: Splitjoin) -> None:
    """The same document."""
    ran = splitjoin("template", "--json")
    assert (ran.stdout.count("\n"), ran.stderr) == (1, "")
    assert ran.document == splitjoin("template", "-q").document


def test_options_set_defaults(splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command line and from the environment."""
    monkeypatch.setenv("SPLITJOIN_RUN_COLUMN", "run")
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"  # noqa: S105 -- its name
    ran = splitjoin(
        "template", "--into", INTO, "--table", "public.sales", "--create-table", "--beside-other-run", "--exact-values",
        "--max-record", "64MiB", "--secret", secret, "--set", "Concurrency=8", "--set", "CodeBucket=code",
    )  # fmt: skip
    assert (ran.code, ran.stderr) == (0, "")
    defaults = {name: one["Default"] for name, one in ran.document["Parameters"].items()}
    assert defaults.items() >= {
        ("Into", INTO), ("Table", "public.sales"), ("RunColumn", "run"), ("CreateTable", "1"), ("BesideOtherRun", "1"),
        ("SecretArn", secret), ("MaxRecord", "67108864"), ("ExactValues", "1"),
        ("Concurrency", "8"), ("CodeBucket", "code"), ("Timeout", "300"),
    }  # fmt: skip


def test_a_default_that_cannot_be(splitjoin: Splitjoin) -> None:
    """A usage error, and nothing on stdout that could be deployed."""
    ran = splitjoin("template", "--set", "Timeout=5m")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("Error: Timeout cannot be '5m': it is one of '30', '60', '120', '180', '300', '600',")


def test_defaults_that_contradict_each_other(splitjoin: Splitjoin) -> None:
    """Both are named, with what to set."""
    ran = splitjoin("template", "--set", "ReservedConcurrency=5", "--set", "Concurrency=4")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr == (
        "Error: ReservedConcurrency 5 is below Concurrency 4 + 2: the queue alone would take all of it\n"
        "Hint: set ReservedConcurrency to Concurrency + 2 or more, or to 0\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "x.SplitJoin_jobs"], "Table must be a table's name that does not begin with splitjoin_"),
        (["--table", '"splitjoin_jobs"'], "Table must be a table's name that does not begin with splitjoin_"),
        (
            ["--run-column", "splitjoin_run"],
            "RunColumn must be a column's name that does not begin with splitjoin_",
        ),
        (
            ["--set", "Table=\u017fplitjoin_jobs"],
            f"Table: table '\u017fplitjoin_jobs': {OWN}",
        ),
        (
            ["--into", "postgresql://a@h/shop", "--table", "pg_catalog.x"],
            "Into and Table: table 'pg_catalog.x': the schema pg_catalog belongs to the database itself",
        ),
    ],
)
def test_reserved_names(splitjoin: Splitjoin, arguments: list[str], message: str) -> None:
    """What the function would refuse is no default; CloudFormation refuses it by the parameter's pattern."""
    ran = splitjoin("template", *arguments, "--json")
    assert (ran.code, ran.document["error"]["message"]) == (2, message)


def test_no_password(splitjoin: Splitjoin) -> None:
    """It is refused and not repeated, also in the document."""
    ran = splitjoin("template", "--into", "mysql://loader:hunter2@db/sales", "--json")
    assert (ran.code, ran.stderr) == (2, "")
    assert json.loads(ran.stdout) == {
        "error": {
            "code": 2,
            "message": "the mysql URL holds a password, and process lists show it",
            "hint": "leave it out and set SPLITJOIN_DB_PASSWORD",
        }
    }


def test_a_setting_without_a_value(splitjoin: Splitjoin) -> None:
    """Says what it should look like."""
    ran = splitjoin("template", "--set", "Timeout")
    assert ran.code == 2
    assert ran.stderr == ("Error: Invalid value for '--set': it is not NAME=VALUE\nHint: splitjoin template --help\n")
