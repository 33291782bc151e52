"""The whole template, with defaults of one's own for its parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.deploy.stack.alarms import ALARMS
from splitjoin_cli.deploy.stack.cloudformation import Output, Template, get_att, join, ref, sub
from splitjoin_cli.deploy.stack.contradictions import RULES, check_together
from splitjoin_cli.deploy.stack.function import FUNCTION
from splitjoin_cli.deploy.stack.messages import MESSAGES
from splitjoin_cli.deploy.stack.parameters import CONDITIONS, GROUPS, MAPPINGS, PARAMETERS
from splitjoin_cli.deploy.stack.roles import ROLES
from splitjoin_cli.deploy.stack.split import SPLIT
from splitjoin_cli.deploy.stack.storage import STORAGE
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.reserved import check_system
from splitjoin_cli.stores.loaders.urls import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["make_template"]

DESCRIPTION = "splitjoin: chunks that arrive are loaded into a database, each exactly once; when all are, one join."
OUTPUTS: Mapping[str, Output] = {
    "Destination": Output("Where splitjoin split puts chunks.", sub("s3://${ChunkBucket}/${ChunkPrefix}")),
    "Tracker": Output("What --tracker says.", join(":", "dynamodb", ref("JobTable"))),
    "QueueUrl": Output("The queue of arrived chunks.", ref("ChunkQueue")),
    "DeadLetterQueueUrl": Output("The queue of chunks that failed.", ref("DeadLetterQueue")),
    "DeadLetterQueueArn": Output("The same, as its events are moved back by.", get_att("DeadLetterQueue")),
    "FunctionName": Output("The function that loads.", ref("Function")),
    "LogGroupName": Output("Its log.", ref("LogGroup")),
    "JoinTopicArn": Output("The topic of joins.", ref("JoinTopic")),
    "FunctionRoleArn": Output("The function's role.", get_att("FunctionRole")),
    "SplitPolicyArn": Output("The policy that splitjoin split needs.", ref("SplitPolicy")),
    "ChunkKeyPolicyArn": Output("The policy that they need beside it.", ref("ChunkKeyPolicy"), "HasChunkKey"),
    "OperatePolicyArn": Output("The policy that retry needs in addition.", ref("OperatePolicy")),
    "SplitFunctionName": Output("What --engine lambda: names.", ref("SplitFunction"), "HasSplit"),
    "SplitFunctionPolicyArn": Output("The policy that --engine lambda: needs.", ref("SplitFunctionPolicy"), "HasSplit"),
    "AuroraRoleArn": Output("The role for the Aurora cluster.", get_att("AuroraRole"), "HasAuroraCluster"),
}  # fmt: skip


def make_template(defaults: Mapping[str, str] | None = None) -> Template:
    """The template; ``defaults``: values for parameters, by their names.

    Raises UsageError for one that cannot be, and for two that contradict each other.
    """
    parameters = dict(PARAMETERS)
    for name, value in (defaults or {}).items():
        if name not in parameters:
            raise UsageError(f"the template has no parameter {name}", hint=f"it has {', '.join(parameters)}")
        if name == "Into":
            parse(value)  # says more of what is wrong, and finds a password wherever it is
        parameters[name] = replace(parameters[name], default=parameters[name].checked(name, value))
    _check_names(defaults or {})
    check_together({name: one.default or "" for name, one in parameters.items()})
    return Template(
        description=DESCRIPTION,
        parameters=parameters,
        conditions=CONDITIONS,
        mappings=MAPPINGS,
        rules=RULES,
        resources={**STORAGE, **MESSAGES, **ROLES, **FUNCTION, **SPLIT, **ALARMS},
        outputs=OUTPUTS,
        groups=GROUPS,
    )


def _check_names(defaults: Mapping[str, str]) -> None:
    """Raise UsageError for a table and a run column that the function would refuse."""
    table = defaults.get("Table") or "t"
    for name, make in (
        ("Table", lambda: LoadTarget(table)),
        ("Into and Table", lambda: check_system(parse(defaults["Into"]), table) if "Into" in defaults else None),
        ("RunColumn", lambda: LoadTarget("t", run_column=defaults.get("RunColumn") or None)),
    ):
        try:
            make()
        except ValueError as exc:
            raise UsageError(f"{name}: {exc}", hint=getattr(exc, "hint", None)) from exc
