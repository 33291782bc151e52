"""AWS's own endpoints are known by their names, in every partition; any other is a store's that may lack something."""

from __future__ import annotations

from types import SimpleNamespace

import botocore.session
import pytest

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.endpoints import AWS_SUFFIXES, is_aws


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://bucket.vpce-1a2b-5c6d.s3.us-east-1.vpce.amazonaws.com", True),
        ("https://dynamodb.us-east-1.api.aws", True),
        ("https://s3.eusc-de-east-1.amazonaws.eu:443/", True),
        ("http://127.0.0.1:9000", False),
        ("https://s3.amazonaws.com.example.org", False),
        ("https://notamazonaws.com", False),
    ],
)
def test_whose_an_endpoint_is(url: str, expected: bool) -> None:  # noqa: FBT001 -- a parameter
    """By the end of its host's name."""
    assert is_aws(SimpleNamespace(meta=SimpleNamespace(endpoint_url=url))) is expected


def test_every_partition_is_known() -> None:
    """As botocore lists them."""
    loader = botocore.session.get_session().get_component("data_loader")
    outputs = [partition["outputs"] for partition in loader.load_data("partitions")["partitions"]]
    listed = {f".{output[name]}" for output in outputs for name in ("dnsSuffix", "dualStackDnsSuffix")}
    assert listed == set(AWS_SUFFIXES)


def test_a_client_without_an_endpoint_of_its_own_speaks_to_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says is an endpoint, too."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert is_aws(aws.client("s3"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000")
    assert not is_aws(aws.client("s3"))
