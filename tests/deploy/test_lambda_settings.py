"""The function's variables: read once, and each error names its variable."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.api.open import LoadRequest
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.deploy.json_logs import JsonFormatter, JsonLogs, log_level
from splitjoin_cli.deploy.lambda_handler import Function
from splitjoin_cli.deploy.lambda_settings import Settings
from splitjoin_cli.stores.loaders.urls import parse as parse_database
from splitjoin_cli.stores.trackers.urls import TrackerUrl

if TYPE_CHECKING:
    from collections.abc import Mapping

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
DATABASE, TRACKER = parse_database("mysql://db/sales"), TrackerUrl("dynamodb", "jobs")
NEEDED = {"SPLITJOIN_INTO": "mysql://db/sales", "SPLITJOIN_TRACKER": "dynamodb:jobs"}

OWN = "names that begin with splitjoin_ are reserved for splitjoin's own tables"


def test_what_is_needed_alone() -> None:
    """All else has a default, and an empty variable is an absent one."""
    bare = Settings.from_environment(NEEDED)
    assert bare == Settings(load=LoadRequest(into=DATABASE), tracker=TRACKER)
    names = ["TABLE", "CREATE_TABLE", "RUN_COLUMN", "BESIDE_OTHER_RUN", "MAX_RECORD", "EXACT_VALUES", "SECRET"]
    names += ["ON_JOIN", "STUCK_AFTER", "MAX_RECEIVES"]
    assert Settings.from_environment(NEEDED | {f"SPLITJOIN_{name}": "" for name in names}) == bare


def test_all_of_them() -> None:
    """As the command's options."""
    given = NEEDED | {
        "SPLITJOIN_TABLE": "s.orders",
        "SPLITJOIN_CREATE_TABLE": "true",
        "SPLITJOIN_RUN_COLUMN": "run",
        "SPLITJOIN_BESIDE_OTHER_RUN": "0",
        "SPLITJOIN_MAX_RECORD": "64MiB",
        "SPLITJOIN_EXACT_VALUES": "1",
        "SPLITJOIN_SECRET": ARN,
        "SPLITJOIN_ON_JOIN": "exec:true",
        "SPLITJOIN_STUCK_AFTER": "2h",
        "SPLITJOIN_MAX_RECEIVES": "5",
        "AWS_REGION": "eu-west-1",
    }
    load = LoadRequest(
        into=DATABASE,
        table="s.orders",
        create_table=True,
        run_column="run",
        max_record_bytes=64 << 20,
        exact_values=True,
        secret=ARN,
    )
    assert Settings.from_environment(given) == Settings(
        load=load,
        tracker=TRACKER,
        on_join="exec:true",
        stuck_after_seconds=7200.0,
        max_receives=5,
        region="eu-west-1",
    )


@pytest.mark.parametrize(
    ("changed", "message", "hint"),
    [
        (
            {"SPLITJOIN_INTO": ""},
            "SPLITJOIN_INTO is not set",
            "it is the database's URL, mysql://USER@HOST/DB or another",
        ),
        (
            {"SPLITJOIN_INTO": "mysql://me:s3cr3t@db/sales"},
            "SPLITJOIN_INTO: the mysql URL holds a password, and process lists show it",
            "leave it out and set SPLITJOIN_DB_PASSWORD",
        ),
        ({"SPLITJOIN_TRACKER": " "}, "SPLITJOIN_TRACKER is not set", "it is the tracker's URL, dynamodb:TABLE"),
        (
            {"SPLITJOIN_TRACKER": "jobs"},
            "SPLITJOIN_TRACKER: not a tracker's URL",
            "write dynamodb:TABLE or sqlite:PATH",
        ),
        ({"SPLITJOIN_TABLE": "a.b.c"}, "SPLITJOIN_TABLE: not a table's name: 'a.b.c'", None),
        ({"SPLITJOIN_RUN_COLUMN": "a\0b"}, "SPLITJOIN_RUN_COLUMN: not a column's name: 'a\\x00b'", None),
        (
            {"SPLITJOIN_TABLE": "public.Splitjoin_Jobs"},
            f"SPLITJOIN_TABLE: table 'Splitjoin_Jobs': {OWN}",
            "use another table: --table NAME",
        ),
        (
            {"SPLITJOIN_RUN_COLUMN": "splitjoin_run"},
            f"SPLITJOIN_RUN_COLUMN: column 'splitjoin_run': {OWN}",
            "use another column: --run-column NAME",
        ),
        (
            {"SPLITJOIN_TABLE": "mysql.user", "SPLITJOIN_INTO": "mysql://me@db/sales"},
            "SPLITJOIN_INTO and SPLITJOIN_TABLE: table 'mysql.user': the schema mysql belongs to the database itself",
            "use another table: --table NAME",
        ),
        (
            {"SPLITJOIN_CREATE_TABLE": "perhaps"},
            "SPLITJOIN_CREATE_TABLE: 'perhaps' is neither true nor false",
            "set it to true or false",
        ),
        ({"SPLITJOIN_STUCK_AFTER": "soon"}, "SPLITJOIN_STUCK_AFTER: 'soon' is not a duration", "write 90s, 15m, 2h"),
        (
            {"SPLITJOIN_MAX_RECORD": "much"},
            "SPLITJOIN_MAX_RECORD: 'much' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes",
            None,
        ),
        (
            {"SPLITJOIN_MAX_RECEIVES": "0"},
            "SPLITJOIN_MAX_RECEIVES: '0' is not a number from 1 on",
            "it is the queue's maxReceiveCount",
        ),
        (
            {"SPLITJOIN_SECRET": "s3cr3t"},
            "SPLITJOIN_SECRET: not the ARN of a secret",
            "--secret (SPLITJOIN_SECRET) is arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME",
        ),
        (
            {"SPLITJOIN_ON_JOIN": "mail:me", "AWS_REGION": "eu-west-1"},
            "SPLITJOIN_ON_JOIN: not what a join can go on with: mail:",
            "exec:COMMAND, sns:ARN, sqs:URL, lambda:NAME, states:ARN or events:BUS",
        ),
        (
            {"SPLITJOIN_INTO": "aurora-postgresql://db/sales"},
            "SPLITJOIN_INTO: aurora-postgresql needs the bucket's region",
            "add ?s3-region=REGION to the URL",
        ),
    ],
)
def test_what_cannot_be_meant(changed: Mapping[str, str], message: str, hint: str | None) -> None:
    """The variable, what is wrong, and what to write instead; never a secret."""
    with pytest.raises(UsageError) as caught:
        Function.open(Settings.from_environment({**NEEDED, **changed}), JsonLogs(stream=io.StringIO()))
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert "s3cr3t" not in f"{message}{hint}"


@pytest.mark.parametrize(
    ("said", "level"), [("", "INFO"), ("WARN", "WARNING"), ("debug", "DEBUG"), ("FATAL", "CRITICAL"), ("?", "INFO")]
)
def test_the_functions_log_level(said: str, level: str) -> None:
    """In Lambda's words."""
    assert log_level({"AWS_LAMBDA_LOG_LEVEL": said}) == level


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    """With the traceback of an exception as a field."""
    try:
        raise ValueError("a\nb")  # noqa: TRY301 -- the exception is the test's own
    except ValueError as exc:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", ("line\nbreak é",), (type(exc), exc, None))
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["message"], fields["stack"], fields["chunk"]) == ("line\nbreak é", "ValueError: a\nb", None)
