"""What docs/guide says of AWS: its parameters deploy, its outputs, options and states are there, its sums are right."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from splitjoin_cli.cli.group import COMMANDS, cli
from splitjoin_cli.deploy.stack.template import make_template
from splitjoin_cli.join.operate.status import JobState
from tests.deploy.stack.stacks import Account
from tools import docs_aws

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran
    from tests.servers.dynamodb import DynamoDbServer

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs" / "guide"
RUNBOOK = (GUIDE / "operate.md").read_text()
SECTION = (GUIDE / "aws.md").read_text().partition("\n## The Lambda functions\n")[0] + RUNBOOK
TYPED = re.sub(r"\\\n\s*", "", SECTION)
TEMPLATE = make_template()


def overrides() -> dict[str, str]:
    """What ``aws cloudformation deploy`` is given in the guide."""
    (told,) = re.findall(r"aws cloudformation deploy .*--parameter-overrides (.+)", TYPED)
    return dict(word.split("=", 1) for word in shlex.split(told))


def test_the_stack_of_the_guide_deploys(
    account: Account,
    splitjoin: Callable[..., Ran],
    ministack_server: DynamoDbServer,
) -> None:
    """The template as it is printed there, with the parameters that are given there."""
    (arguments,) = re.findall(r"^ *splitjoin (template .*) > splitjoin.json$", TYPED, flags=re.MULTILINE)
    printed = splitjoin(*shlex.split(arguments))
    assert printed.code == 0
    here = Account(ministack_server.endpoint_url, printed.stdout)
    given = overrides() | {"CodeBucket": "code", "CodeKey": "worker.zip", "Into": "mysql://db.example.com/sales"}
    environment = here.deploy(**given).environment()
    here.clean()
    assert environment["SPLITJOIN_INTO"] == given["Into"]
    assert environment["SPLITJOIN_TABLE"] == "sales"
    assert environment["SPLITJOIN_CREATE_TABLE"] == "1"
    assert environment["SPLITJOIN_SECRET"] == given["SecretArn"]
    assert account.endpoint_url == here.endpoint_url


def test_names_of_the_template() -> None:
    """Each parameter and output that is named in the text is one."""
    words = set(re.findall(r"`([A-Z][A-Za-z]+[a-z][A-Z]?[A-Za-z]*)[=.`]", SECTION))
    known = {*TEMPLATE.parameters, *TEMPLATE.outputs}
    rights = {"UpdateTable", "DescribeTable", "ContinuousBackups", "TimeToLive"}
    metrics = {"StuckJobs", "FailedJobs"}
    elsewhere = rights | metrics | {"ReceiveMessage", "GetQueueUrl", "ChangeMessageVisibility"}
    assert words - elsewhere <= known
    assert len(words & known) >= 12


def test_alarms_are_named_as_they_are() -> None:
    """The four."""
    named = {
        one["Properties"]["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for one in TEMPLATE.to_json()["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert named == {"dead-letters", "stuck-jobs", "failed-jobs", "function-errors"}
    assert all(f"`{name}`" in SECTION for name in named)


def test_every_state_is_in_the_runbook() -> None:
    """With what to type, or that there is nothing to type."""
    by_state = RUNBOOK.partition("\n## By state\n")[2].partition("\n## ")[0]
    states = re.findall(r"^\| `([a-z]+)`[^|]*\|[^|]+\|[^|]+\|$", by_state, flags=re.MULTILINE)
    assert set(states) == set(JobState)


def spoken() -> list[str]:
    """Each ``splitjoin`` command in the section, in code spans and lines of code."""
    spans = re.findall(r"`splitjoin ([a-z]+[^`]*)`", TYPED)
    return [*spans, *re.findall(r"^ {4,}splitjoin ([^>\n]+)", TYPED, flags=re.MULTILINE)]


@pytest.mark.parametrize("line", sorted(set(spoken())))
def test_commands_have_the_options_that_they_are_told(line: str) -> None:
    """Each command is there, and each option is one of its own."""
    name, *words = shlex.split(line)
    assert name in COMMANDS
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert [word for word in words if word.startswith("--") and word not in known] == []


def test_the_bill_adds_up() -> None:
    """Each line is its amount times its price, and the sum is theirs."""
    lines = re.findall(r"^\| [^|]+ \| ([\d,.]+) \| \$([\d.]+) a [\w-]+ \| \$([\d,.]+) \|$", SECTION, flags=re.MULTILINE)
    assert len(lines) == len(docs_aws.COSTS) == 8
    plain = [[float(cell.replace(",", "")) for cell in line] for line in lines]
    assert [round(amount * price, 2) for amount, price, _ in plain] == [cost for _, _, cost in plain]
    (total,) = re.findall(r"\*\*\$([\d,.]+)\*\* \|$", SECTION, flags=re.MULTILINE)
    assert float(total) == round(sum(cost for _, _, cost in plain), 2)
