"""What the command line says of AWS: apart from ``aws``, so that who does not speak to it need not import botocore."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AwsOptions"]


@dataclass(frozen=True, slots=True)
class AwsOptions:
    """What the command line overrides; ``None`` leaves it to AWS_* variables and profiles, as the AWS CLI has it."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
