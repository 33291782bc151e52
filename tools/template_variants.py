"""Writes the template with each parameter at the ends of what it may be, one file each: what linters then read.

``python -m tools.template_variants DIRECTORY``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.deploy.stack.parameters import PARAMETERS
from splitjoin_cli.deploy.stack.template import make_template

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["variants"]

INTO = "mysql://loader@db.example.com/sales"
ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
TOPIC, KEY = ARN.format("sns", "ops"), ARN.format("kms", "key/0a1b2c3d-0000-4000-8000-000000000000")
PROVIDER = ARN.format("lambda", "capacity-provider:loads")
VALUES = {
    "CodeBucket": ("acme-code",),
    "CodeKey": ("splitjoin-2.zip",),
    "CodeVersion": ("3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",),
    "Into": ("aurora-postgresql://db.example.com/sales",),
    "Table": ("public.sales",),
    "RunColumn": ("run",),
    "SecretArn": (ARN.format("secretsmanager", "secret:db-AbCdEf"),),
    "SecretKeyArn": (KEY,),
    "AuroraClusterArn": (ARN.format("rds", "cluster:sales"),),
    "ChunkBucketName": ("acme-chunks",),
    "ChunkPrefix": ("in/",),
    "ChunkKeyArn": (KEY,),
    "MaxRecord": ("64MiB",),
    "SubnetIds": ("subnet-0a1b2c3d,subnet-2c3d4e5f",),
    "SecurityGroupIds": ("sg-4e5f6a7b",),
    "SplitCodeKey": ("splits-1.zip",),
    "SplitSourceArns": ("arn:aws:s3:::exports/daily/*,arn:aws:s3:::more/*",),
    "SplitSourceKeyArn": (KEY,),
    "CapacityProviderArn": (PROVIDER,),
    "OnJoinArn": (TOPIC,),
    "SweepRate": ("rate(1 minute)", "rate(2 hours)"),
    "StuckAfter": ("2h",),
    "AlarmArn": (TOPIC,),
}
"""Of parameters whose values are not listed, and are no numbers."""
SPLIT = {"SplitCodeKey": "splits-1.zip", "SplitSourceArns": "arn:aws:s3:::exports/*"}
TOGETHER = {
    **dict.fromkeys(("SplitCodeKey", "SplitSourceArns", "SplitSourceKeyArn"), SPLIT),
    **dict.fromkeys(("SplitMemory", "SplitTimeout", "SplitConcurrency"), SPLIT),
    "CapacityProviderArn": {"Memory": "4096", "Timeout": "5400"},
    "EventsAtOnce": {"CapacityProviderArn": PROVIDER, "Memory": "2048"},
    "MinimumPollers": {"ReservedConcurrency": "1000"},
    "MaximumPollers": {"MinimumPollers": "2", "ReservedConcurrency": "20"},
    "Concurrency": {"ReservedConcurrency": "0"},
    "OnJoinArn": {"OnJoinService": "sns"},
    "OnJoinService": {"OnJoinArn": TOPIC},
    "SecretKeyArn": {"SecretArn": VALUES["SecretArn"][0]},
    "SubnetIds": {"SecurityGroupIds": "sg-4e5f6a7b"},
    "SecurityGroupIds": {"SubnetIds": "subnet-0a1b2c3d"},
}
"""What belongs to another value of a parameter."""
LARGE = {"Timeout": 1800, "Memory": 10240}
"""Above it a value needs the capacity provider."""
LEAST = {"MinimumPollers": (2, 200), "ReservedConcurrency": (6, 1000)}


def variants() -> Iterator[tuple[str, dict[str, str]]]:
    """A name, and the defaults that are set, for the ends of what each parameter may be."""
    for name, parameter in PARAMETERS.items():
        bounds = LEAST.get(name, (parameter.least, parameter.most))
        numbers = () if bounds[0] is None else tuple(map(str, bounds))
        ends = dict.fromkeys((*parameter.values[:1], *parameter.values[-1:]))
        for value in (one for one in (*ends, *VALUES.get(name, ()), *numbers) if one != parameter.default):
            defaults = {"Into": INTO, **TOGETHER.get(name, {}), name: value}
            if name in LARGE and int(value) > LARGE[name]:
                defaults |= {"CapacityProviderArn": PROVIDER, "Memory": "32768"}
            if name == "OnJoinService":
                defaults["OnJoinArn"] = ARN.format(value, "next") if value else ""
            yield f"{name}-{''.join(char if char.isalnum() else '_' for char in value)[:24]}", defaults


def main(directory: Path) -> None:
    """Write them."""
    for name, defaults in variants():
        (directory / f"{name}.json").write_text(json.dumps(make_template(defaults).to_json()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
