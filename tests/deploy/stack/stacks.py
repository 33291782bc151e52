"""Stacks of the template on MiniStack: deployed by CloudFormation, looked at through AWS's own interfaces."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from tests.servers.clients import plain_client

ACCOUNT, REGION = "000000000000", "us-east-1"
INTO = "mysql://loader@db.example.com/sales"
SECONDS = 60.0
DONE = re.compile(r"(?P<state>CREATE_COMPLETE|DELETE_COMPLETE|.*FAILED|ROLLBACK.*COMPLETE)")


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account on MiniStack with the bucket of the function's code."""

    endpoint_url: str
    template: str
    made: list[str] = field(default_factory=list)
    """Names of the stacks that were deployed."""

    def client(self, service: str) -> Any:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        return plain_client(service, self.endpoint_url)

    def deploy(self, **parameters: str) -> Stack:
        """A stack of the template, once all of it is there."""
        name = f"splitjoin-{secrets.token_hex(4)}"
        given = {"CodeBucket": "code", "CodeKey": "worker.zip", "Into": INTO, **parameters}
        cloudformation = self.client("cloudformation")
        self.made.append(name)
        cloudformation.create_stack(
            StackName=name, TemplateBody=self.template, Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )  # fmt: skip
        deadline = time.monotonic() + SECONDS
        while not DONE.fullmatch((stack := cloudformation.describe_stacks(StackName=name)["Stacks"][0])["StackStatus"]):
            assert time.monotonic() < deadline, stack
            time.sleep(0.05)
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", events
        made = Stack(self, name, {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]})
        made.mend_feed()
        return made

    def clean(self) -> None:
        """Delete the stacks: their feeds would go on polling."""
        for name in self.made:
            self.client("cloudformation").delete_stack(StackName=name)


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that was deployed, by what it tells."""

    account: Account
    name: str
    outputs: dict[str, str]

    @property
    def bucket(self) -> str:
        return self.outputs["Destination"].removeprefix("s3://").partition("/")[0]

    def feeds(self) -> list[dict[str, Any]]:
        """What brings the queue's events to the function."""
        found = self.account.client("lambda").list_event_source_mappings(FunctionName=self.outputs["FunctionName"])
        feeds: list[dict[str, Any]] = found["EventSourceMappings"]
        return feeds

    def mend_feed(self) -> None:
        """Set the feed's concurrency anew, as a number.

        MiniStack takes a parameter's value for text where AWS makes it a number, and compares it with one: no queue of
        any stack is then polled.
        """
        for feed in self.feeds():
            bound = {"MaximumConcurrency": int(feed["ScalingConfig"]["MaximumConcurrency"])}
            self.account.client("lambda").update_event_source_mapping(UUID=feed["UUID"], ScalingConfig=bound)

    def environment(self) -> dict[str, str]:
        """The function's variables."""
        found = self.account.client("lambda").get_function_configuration(FunctionName=self.outputs["FunctionName"])
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    def statements(self, role_arn: str | None = None) -> dict[str, dict[str, Any]]:
        """What a role may do, by Sid; the function's."""
        iam, role = self.account.client("iam"), (role_arn or self.outputs["FunctionRoleArn"]).rpartition("/")[2]
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
        return {one["Sid"]: one for document in documents for one in document["Statement"]}
