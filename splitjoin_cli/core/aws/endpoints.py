"""Whose service an endpoint is: AWS's own, or another's, which may lack what AWS has."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

__all__ = ["is_aws"]

AWS_SUFFIXES = (
    ".amazonaws.com",
    ".api.aws",
    ".amazonaws.com.cn",
    ".api.amazonwebservices.com.cn",
    ".amazonaws.eu",
    ".api.amazonwebservices.eu",
    ".c2s.ic.gov",
    ".api.aws.ic.gov",
    ".sc2s.sgov.gov",
    ".api.aws.scloud",
    ".cloud.adc-e.uk",
    ".api.cloud-aws.adc-e.uk",
    ".csp.hci.ic.gov",
    ".api.aws.hci.ic.gov",
)
"""Of all partitions, as botocore lists them."""


def is_aws(client: Any) -> bool:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """Whether a client speaks to AWS by a name of AWS's own."""
    return (urlsplit(client.meta.endpoint_url).hostname or "").endswith(AWS_SUFFIXES)
