"""CloudFormation as typed values: parameters, resources, outputs and the functions between them, and their JSON form.

The words are those of the AWS CloudFormation user guide, "Template anatomy" and "Intrinsic function reference".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from splitjoin_cli.core.errors import UsageError

__all__ = [
    "NO_VALUE",
    "POLICY_VERSION",
    "Output",
    "Parameter",
    "Properties",
    "Resource",
    "Statement",
    "Template",
    "Value",
    "Waiver",
    "contains",
    "either",
    "equals",
    "every",
    "find",
    "get_att",
    "inverse",
    "join",
    "only_if",
    "policy",
    "ref",
    "select",
    "split",
    "sub",
    "when",
]

Value = str | int | bool | Mapping[str, "Value"] | Sequence["Value"]
"""A property's value: plain, nested, or a function of CloudFormation's."""
Properties = Mapping[str, Value]

FORMAT_VERSION = "2010-09-09"
POLICY_VERSION = "2012-10-17"


def ref(name: str) -> Value:
    """A parameter's value, or a resource's name."""
    return {"Ref": name}


NO_VALUE = ref("AWS::NoValue")
"""Stands for a property that is left out."""


def get_att(name: str, attribute: str = "Arn") -> Value:
    """What CloudFormation knows of a resource once it is there."""
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str) -> Value:
    """``text`` with each ``${Name}`` filled in."""
    return {"Fn::Sub": text}


def join(delimiter: str, *values: Value) -> Value:
    """Values, one after another."""
    return {"Fn::Join": [delimiter, list(values)]}


def split(delimiter: str, value: Value) -> Value:
    """The pieces of a value."""
    return {"Fn::Split": [delimiter, value]}


def select(index: int, values: Value) -> Value:
    """One of a list, counted from 0."""
    return {"Fn::Select": [str(index), values]}


def find(mapping: str, key: Value, name: str) -> Value:
    """What a mapping says of a key."""
    return {"Fn::FindInMap": [mapping, key, name]}


def when(condition: str, yes: Value, no: Value) -> Value:
    """One value or another."""
    return {"Fn::If": [condition, yes, no]}


def only_if(condition: str, value: Value) -> Value:
    """A value, or none."""
    return when(condition, value, NO_VALUE)


def equals(left: Value, right: Value) -> Value:
    """A condition: both are the same."""
    return {"Fn::Equals": [left, right]}


def inverse(condition: Value) -> Value:
    """A condition: the other one does not hold."""
    return {"Fn::Not": [condition]}


def every(*conditions: Value) -> Value:
    """A condition: all others hold."""
    return {"Fn::And": list(conditions)}


def either(*conditions: Value) -> Value:
    """A condition: one of others holds."""
    return {"Fn::Or": list(conditions)}


def contains(values: Sequence[str], value: Value) -> Value:
    """A condition of rules alone: a value is one of others."""
    return {"Fn::Contains": [list(values), value]}


@dataclass(frozen=True, slots=True)
class Parameter:
    """What whoever deploys may say. ``pattern`` is a regular expression for the whole value."""

    description: str
    type: str = "String"
    default: str | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    explained: str | None = None
    """What CloudFormation says of a value that does not match."""
    least: int | None = None
    most: int | None = None

    def checked(self, name: str, value: str) -> str:
        """``value``, if CloudFormation would take it. Raises UsageError."""
        if self.values and value not in self.values:
            raise UsageError(f"{name} cannot be {value!r}: it is one of {', '.join(map(repr, self.values))}")
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            # The value is not repeated: it may hold a password.
            raise UsageError(f"{name} must be {self.explained}")
        if self.type == "Number" and not (re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) and self._holds(int(value))):
            raise UsageError(f"{name} cannot be {value!r}: it is a number from {self.least} to {self.most}")
        return value

    def _holds(self, number: int) -> bool:
        return (self.least is None or self.least <= number) and (self.most is None or number <= self.most)

    def to_json(self) -> dict[str, Any]:
        """As the template has it."""
        return _present(
            Type=self.type, Description=self.description, Default=self.default,
            AllowedValues=list(self.values) or None, AllowedPattern=self.pattern, ConstraintDescription=self.explained,
            MinValue=self.least, MaxValue=self.most,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule of checkov that a resource does not keep, and why; checkov reads it in the resource's metadata."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that is made. ``keep``: deleting the stack leaves it, for what it holds."""

    type: str
    properties: Properties = field(default_factory=dict)
    condition: str | None = None
    after: tuple[str, ...] = ()
    keep: bool = False
    waivers: tuple[Waiver, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the template has it."""
        skipped = [{"id": waiver.rule, "comment": waiver.reason} for waiver in self.waivers]
        kept = "Retain" if self.keep else None
        return _present(
            Type=self.type, Condition=self.condition, DependsOn=list(self.after) or None, DeletionPolicy=kept,
            UpdateReplacePolicy=kept, Metadata={"checkov": {"skip": skipped}} if skipped else None,
            Properties=dict(self.properties),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Output:
    """What a stack tells once it is there."""

    description: str
    value: Value
    condition: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the template has it."""
        return _present(Description=self.description, Condition=self.condition, Value=self.value)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy: who (in policies of a resource) may, or may not, do what to which, on condition."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[Value, ...] = ()
    """ARNs; none in a role's trust policy, which is about the role itself."""
    principal: Value | None = None
    effect: Literal["Allow", "Deny"] = "Allow"
    condition: Properties | None = None
    listed: Value | None = None
    """The ARNs of a parameter that is a list, in place of ``resources``: a list within a list is no policy."""

    def to_json(self) -> dict[str, Any]:
        """As policies have it."""
        return _present(
            Sid=self.sid, Effect=self.effect, Principal=self.principal, Action=list(self.actions),
            Resource=self.listed or list(self.resources) or None, Condition=self.condition,
        )  # fmt: skip


def policy(*statements: Statement) -> Value:
    """A policy document."""
    return {"Version": POLICY_VERSION, "Statement": [statement.to_json() for statement in statements]}


@dataclass(frozen=True, slots=True)
class Template:
    """A whole template; ``groups`` are the console's headings for parameters."""

    description: str
    parameters: Mapping[str, Parameter]
    conditions: Mapping[str, Value]
    mappings: Mapping[str, Mapping[str, Mapping[str, Value]]]
    rules: Mapping[str, Value]
    resources: Mapping[str, Resource]
    outputs: Mapping[str, Output]
    groups: Mapping[str, Sequence[str]]

    def to_json(self) -> dict[str, Any]:
        """The document that CloudFormation takes."""
        headings = [{"Label": {"default": label}, "Parameters": list(names)} for label, names in self.groups.items()]
        return {
            "AWSTemplateFormatVersion": FORMAT_VERSION,
            "Description": self.description,
            "Metadata": {"AWS::CloudFormation::Interface": {"ParameterGroups": headings}},
            "Parameters": {name: one.to_json() for name, one in self.parameters.items()},
            "Rules": dict(self.rules),
            "Mappings": dict(self.mappings),
            "Conditions": dict(self.conditions),
            "Resources": {name: one.to_json() for name, one in self.resources.items()},
            "Outputs": {name: one.to_json() for name, one in self.outputs.items()},
        }


def _present(**entries: object) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if value is not None}
