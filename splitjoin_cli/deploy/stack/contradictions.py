"""Parameters that contradict each other: what CloudFormation refuses when it deploys, and what ``template`` refuses.

CloudFormation's rules compare for equality, and know no larger and smaller (CloudFormation user guide, "Rule-specific
intrinsic functions"). So numbers are compared here, among the defaults that the template gets, and again by rules as
far as lists of values can say it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.deploy.stack.cloudformation import contains, either, equals, every, inverse, ref
from splitjoin_cli.deploy.stack.parameters import LONGEST_SECONDS, MOST_MEMORY, TIMEOUTS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.deploy.stack.cloudformation import Value

__all__ = ["RULES", "check_together"]

SPARE = 2
"""Invocations beside those of the queue: the sweep, and a retry that is sent to the function."""
MANAGED_MEMORY = ("2048", "4096", "8192", "16384", "32768")
"""Sizes of a function on Managed Instances: from 2 GB on (Lambda Developer Guide, "Lambda Managed Instances")."""
MANAGED_RUNTIMES = ("python3.13", "python3.14")


def _empty(name: str) -> Value:
    return equals(ref(name), "")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two parameters. ``found``: whether values contradict each other; the texts may name a parameter's value."""

    found: Callable[[Mapping[str, str]], bool]
    message: str
    hint: str
    allowed: Value | None = None
    """What CloudFormation can ask for."""


_MANAGED = "CapacityProviderArn"
CONTRADICTIONS: Mapping[str, Contradiction] = {
    "OnJoin": Contradiction(
        lambda its: (its["OnJoinArn"] == "") != (its["OnJoinService"] == ""),
        "OnJoinArn and OnJoinService are given together, or neither is",
        "set both",
        either(
            every(_empty("OnJoinService"), _empty("OnJoinArn")),
            every(inverse(_empty("OnJoinService")), inverse(_empty("OnJoinArn"))),
        ),
    ),
    "Timeout": Contradiction(
        lambda its: int(its["Timeout"]) > LONGEST_SECONDS and not its[_MANAGED],
        f"Timeout {{Timeout}} needs CapacityProviderArn: without it a function runs {LONGEST_SECONDS} s at most",
        f"set CapacityProviderArn, or Timeout to {LONGEST_SECONDS} or less",
        either(
            inverse(_empty(_MANAGED)),
            contains([str(one) for one in TIMEOUTS_SECONDS if one <= LONGEST_SECONDS], ref("Timeout")),
        ),
    ),
    "ManagedMemory": Contradiction(
        lambda its: bool(its[_MANAGED]) and its["Memory"] not in MANAGED_MEMORY,
        f"Memory {{Memory}} does not fit CapacityProviderArn: with it Memory is one of {', '.join(MANAGED_MEMORY)}",
        "set Memory=4096",
        either(_empty(_MANAGED), contains(MANAGED_MEMORY, ref("Memory"))),
    ),
    "Memory": Contradiction(
        lambda its: int(its["Memory"]) > MOST_MEMORY and not its[_MANAGED],
        f"Memory {{Memory}} needs CapacityProviderArn: without it a function has {MOST_MEMORY} MB at most",
        f"set CapacityProviderArn, or Memory to {MOST_MEMORY} or less",
        either(
            inverse(_empty(_MANAGED)),
            inverse(contains([one for one in MANAGED_MEMORY if int(one) > MOST_MEMORY], ref("Memory"))),
        ),
    ),
    "ManagedRuntime": Contradiction(
        lambda its: bool(its[_MANAGED]) and its["Runtime"] not in MANAGED_RUNTIMES,
        f"Runtime {{Runtime}} does not fit CapacityProviderArn: with it Runtime is {' or '.join(MANAGED_RUNTIMES)}",
        f"set Runtime={MANAGED_RUNTIMES[0]}, and build the zip for it",
        either(_empty(_MANAGED), contains(MANAGED_RUNTIMES, ref("Runtime"))),
    ),
    "ManagedNetwork": Contradiction(
        lambda its: bool(its[_MANAGED] and its["SubnetIds"]),
        "SubnetIds and CapacityProviderArn exclude each other: the capacity provider has subnets of its own",
        "leave SubnetIds and SecurityGroupIds out",
        either(_empty(_MANAGED), {"Fn::EachMemberEquals": [ref("SubnetIds"), ""]}),
    ),
    "ManagedReserve": Contradiction(
        lambda its: bool(its[_MANAGED]) and its["ReservedConcurrency"] != "0",
        "ReservedConcurrency and CapacityProviderArn exclude each other: the capacity provider bounds the function",
        "leave ReservedConcurrency out",
        either(_empty(_MANAGED), equals(ref("ReservedConcurrency"), "0")),
    ),
    "Reserve": Contradiction(
        lambda its: (
            0 < int(its["ReservedConcurrency"]) < int(its["Concurrency"]) + SPARE and its["MinimumPollers"] == "0"
        ),
        f"ReservedConcurrency {{ReservedConcurrency}} is below Concurrency {{Concurrency}} + {SPARE}: the queue alone"
        " would take all of it",
        f"set ReservedConcurrency to Concurrency + {SPARE} or more, or to 0",
    ),
    "OnePoller": Contradiction(
        lambda its: its["MinimumPollers"] == "1",
        "MinimumPollers 1 is below the 2 of provisioned mode",
        "set MinimumPollers to 2 or more, or to 0",
        inverse(equals(ref("MinimumPollers"), "1")),
    ),
    "Pollers": Contradiction(
        lambda its: int(its["MinimumPollers"]) > int(its["MaximumPollers"]),
        "MinimumPollers {MinimumPollers} is above MaximumPollers {MaximumPollers}",
        "set MaximumPollers to MinimumPollers or more",
    ),
    "PollersReserve": Contradiction(
        lambda its: its["MinimumPollers"] != "0" and its["ReservedConcurrency"] == "0" and not its[_MANAGED],
        "MinimumPollers needs ReservedConcurrency: with pollers Concurrency bounds nothing, and each loads up to 10"
        " chunks at once",
        "set ReservedConcurrency to the connections that the database can take",
        either(
            equals(ref("MinimumPollers"), "0"),
            inverse(equals(ref("ReservedConcurrency"), "0")),
            inverse(_empty(_MANAGED)),
        ),
    ),
    "SplitSources": Contradiction(
        lambda its: (its["SplitCodeKey"] == "") != (its["SplitSourceArns"] == ""),
        "SplitCodeKey and SplitSourceArns are given together, or neither is",
        "set both",
        either(
            every(_empty("SplitCodeKey"), {"Fn::EachMemberEquals": [ref("SplitSourceArns"), ""]}),
            every(inverse(_empty("SplitCodeKey")), inverse({"Fn::EachMemberEquals": [ref("SplitSourceArns"), ""]})),
        ),
    ),
}
_PLACES = re.compile(r" \{\w+\}")
RULES: Mapping[str, Value] = {
    name: {"Assertions": [{"Assert": one.allowed, "AssertDescription": _PLACES.sub("", one.message)}]}
    for name, one in CONTRADICTIONS.items()
    if one.allowed is not None
}


def check_together(values: Mapping[str, str]) -> None:
    """Raise UsageError for values of all parameters that contradict each other; it names both."""
    for one in CONTRADICTIONS.values():
        if one.found(values):
            raise UsageError(one.message.format_map(values), hint=one.hint)
