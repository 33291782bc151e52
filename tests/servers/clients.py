"""The plain AWS clients that tests look at their servers with: each is made once, which takes a tenth of a second."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"
CONFIG = Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 5})


@cache
def plain_client(service: str, endpoint_url: str, access_key: str = "test", secret_key: str = "test") -> Any:  # noqa: ANN401, S107 -- boto3 makes its clients' classes at run time; the keys are a test server's
    """A client of boto3, which all tests share: who hooks into requests makes one of the product's."""
    make: Any = _session(access_key, secret_key).client
    return make(service, endpoint_url=endpoint_url, config=CONFIG)


@cache
def _session(access_key: str, secret_key: str) -> boto3.session.Session:
    return boto3.session.Session(access_key, secret_key, region_name=REGION)
