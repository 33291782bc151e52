"""Clients are made as the AWS CLI makes them, and AWS's errors become ours, without secrets."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions as aws_errors
import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.s3 import Bucket, Retry, S3Uri, parse_uri
from splitjoin_cli.core.errors import (
    AccessError,
    CorruptObjectError,
    NotFoundError,
    SplitjoinError,
    StoreError,
    UsageError,
)

if TYPE_CHECKING:
    from pathlib import Path

URI = "s3://bucket/key"
SECRET_URL = "https://user:hunter2@store.example:9000/b?X-Amz-Signature=hunter2"  # noqa: S105 -- the point of the test


def answered(code: str, *, status: int = 400, message: str = "", region: str | None = None) -> ClientError:
    """A service's answer."""
    headers = {"x-amz-bucket-region": region} if region else {}
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "HTTPHeaders": headers,
                "RequestId": "",
                "HostId": "",
                "RetryAttempts": 0,
            },
        },
        "PutObject",
    )


@pytest.mark.parametrize(
    ("code", "kind", "message", "hint"),
    [
        ("ExpiredToken", AccessError, "the AWS credentials have expired", "get new ones (aws sso login) and run again"),
        (
            "SignatureDoesNotMatch",
            AccessError,
            "the AWS credentials are not valid (SignatureDoesNotMatch)",
            "check --profile or AWS_ACCESS_KEY_ID",
        ),
        ("AccessDenied", AccessError, "access denied", "the identity in use needs s3:PutObject"),
        ("403", AccessError, "access denied", "the identity in use needs s3:PutObject"),
        ("NoSuchBucket", NotFoundError, "the bucket does not exist", "check its name, or make it (aws s3 mb)"),
        ("NoSuchKey", NotFoundError, "not found", None),
        (
            "PermanentRedirect",
            StoreError,
            "the bucket is in another region",
            "use --region eu-central-1",
        ),
        ("BadDigest", CorruptObjectError, "the store received other bytes than were announced (BadDigest)", None),
        ("SlowDown", StoreError, "the store asks to slow down (SlowDown)", "run again with fewer --jobs"),
        ("RequestTimeTooSkewed", StoreError, "this machine's clock is wrong", "set the clock and run again"),
        ("EntityTooLarge", StoreError, "EntityTooLarge: it is too large", None),
    ],
)
def test_answers_become_ours(code: str, kind: type[SplitjoinError], message: str, hint: str | None) -> None:
    """The operation, the object, what it means, and the next step."""
    error = aws.translate(answered(code, message="it is too large.", region="eu-central-1"), "s3:PutObject", URI)
    assert (type(error), error.message, error.hint) == (kind, f"s3:PutObject {URI}: {message}", hint)


def test_a_permission_is_named_by_its_policy_action() -> None:
    """HeadObject needs s3:GetObject, which nobody guesses."""
    error = aws.translate(answered("403"), "s3:HeadObject", URI)
    assert error.hint == "the identity in use needs s3:GetObject"


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (aws_errors.NoCredentialsError(), AccessError, "no AWS credentials were found"),
        (
            aws_errors.PartialCredentialsError(provider="env", cred_var="x"),
            AccessError,
            "half of the AWS credentials is missing: the id of the key, or its secret",
        ),
        (
            aws_errors.UnauthorizedSSOTokenError(),
            AccessError,
            "the AWS credentials could not be loaded (UnauthorizedSSOTokenError)",
        ),
        (
            aws_errors.CredentialRetrievalError(provider="process", error_msg="key hunter2"),
            AccessError,
            "the AWS credentials could not be loaded (CredentialRetrievalError)",
        ),
        (
            aws_errors.ProfileNotFound(profile="nobody"),
            AccessError,
            "The config profile (nobody) could not be found",
        ),
        (
            aws_errors.EndpointConnectionError(endpoint_url=SECRET_URL),
            StoreError,
            "cannot connect to store.example:9000",
        ),
        (
            aws_errors.ReadTimeoutError(endpoint_url=SECRET_URL),
            StoreError,
            "the connection was lost (ReadTimeoutError)",
        ),
        (
            aws_errors.SSLError(endpoint_url=SECRET_URL, error=OSError("CERTIFICATE_VERIFY_FAILED")),
            StoreError,
            "no trusted TLS connection",
        ),
    ],
)
def test_local_failures_become_ours(failure: Exception, kind: type[SplitjoinError], message: str) -> None:
    """In our words, since theirs may quote URLs and what a credential process said."""
    error = aws.translate(failure, "s3:PutObject", URI)
    assert (type(error), error.message) == (kind, f"s3:PutObject {URI}: {message}")
    assert error.hint
    assert "hunter2" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (answered("SlowDown", status=503), True),
        (answered("InternalError", status=500), True),
        (answered("anything", status=502), True),
        (answered("408", status=408), True),
        (answered("ConditionalRequestConflict", status=409), True),
        (answered("AccessDenied", status=403), False),
        (answered("NotImplemented", status=501), False),
        (answered("PreconditionFailed", status=412), False),
        (aws_errors.ConnectionClosedError(endpoint_url=URI), True),
        (aws_errors.HTTPClientError(error=ConnectionResetError()), True),
        (aws_errors.HTTPClientError(error=KeyError("a body's bug")), False),
        (aws_errors.HTTPClientError(error=StoreError("a body's own error")), False),
        (aws_errors.ResponseStreamingError(error="broken"), True),
        (aws_errors.SSLError(endpoint_url=URI, error=OSError("certificate verify failed")), False),
        (aws_errors.SSLError(endpoint_url=URI, error=OSError("EOF occurred in violation of protocol")), True),
        (aws_errors.NoCredentialsError(), False),
    ],
)
def test_only_what_may_pass_is_transient(error: Exception, *, transient: bool) -> None:
    """Throttling, 5xx, lost connections: yes. What a body raised, or what somebody must mend: no."""
    assert aws.is_transient(error) is transient


@pytest.mark.parametrize("variable", [None, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_an_endpoint_of_ones_own_needs_no_region(monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    """Given as an option or in the environment."""
    if variable:
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    options = aws.AwsOptions(endpoint_url=None if variable else "http://127.0.0.1:9")
    client = aws.client("dynamodb", options)
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:9", "us-east-1")


def test_without_a_region_aws_cannot_be_meant() -> None:
    """Except on S3, where every region's buckets are found from the first one."""
    with pytest.raises(StoreError) as caught:
        aws.client("sqs")
    assert caught.value.message == "sqs client: no region is set"
    assert caught.value.hint == "use --region or set AWS_REGION"
    assert aws.client("s3").meta.region_name == "us-east-1"


def test_options_override_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Region, endpoint and profile."""
    config = tmp_path / "config"
    config.write_text("[profile exports]\nregion = eu-west-3\n[profile other]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "other")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert aws.client("s3").meta.region_name == "eu-north-1"
    assert aws.client("s3", aws.AwsOptions(profile="exports")).meta.region_name == "eu-west-3"
    assert aws.client("s3", aws.AwsOptions(region="sa-east-1")).meta.region_name == "sa-east-1"
    assert aws.client("s3").meta.endpoint_url == "http://127.0.0.1:9"
    assert aws.client("s3", aws.AwsOptions(endpoint_url="http://127.0.0.1:8")).meta.endpoint_url == "http://127.0.0.1:8"


def test_a_session_of_the_callers_own_makes_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its credentials and region, whatever the environment says; region and endpoint may be overridden."""
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    session = boto3.Session("id-of-the-session", "secret", region_name="eu-west-3")
    options = aws.AwsOptions(session=session)
    made = aws.client("sqs", options)
    assert made.meta.region_name == "eu-west-3"
    assert made._request_signer._credentials.access_key == "id-of-the-session"
    elsewhere = aws.AwsOptions(session=session, region="sa-east-1", endpoint_url="http://127.0.0.1:8")
    assert aws.client("s3", elsewhere).meta.region_name == "sa-east-1"
    assert aws.client("s3", elsewhere).meta.endpoint_url == "http://127.0.0.1:8"
    assert "session" not in repr(options)


def test_both_variables_of_the_region_are_heeded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The one that our hint and AWS's own documentation name goes first; a profile's comes last, an option wins."""
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert aws.client("sqs").meta.region_name == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")
    assert aws.client("sqs").meta.region_name == "eu-south-1"
    monkeypatch.setenv("AWS_REGION", "ap-east-1")
    assert aws.client("sqs").meta.region_name == "ap-east-1"
    assert aws.client("sqs", aws.AwsOptions(region="sa-east-1")).meta.region_name == "sa-east-1"


def test_an_unknown_profile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that lists those that are there."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with pytest.raises(AccessError) as caught:
        aws.client("s3", aws.AwsOptions(profile="nobody"))
    assert caught.value.message == "s3 client: The config profile (nobody) could not be found"
    assert caught.value.hint == "aws configure list-profiles shows those that are there"


def test_payloads_are_not_hashed_unless_the_profile_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SHA-256 of every byte costs more than sending it; a bucket policy may want it all the same."""
    assert aws.client("s3").meta.config.s3["payload_signing_enabled"] is False
    config = tmp_path / "config"
    config.write_text("[default]\nregion = us-east-1\ns3 =\n  payload_signing_enabled = true\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert aws.client("s3").meta.config.s3["payload_signing_enabled"] is True


def test_clients_share_a_session_as_long_as_the_environment_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a session reads and asks for (models, credentials) it reads once; a changed variable is no less heeded."""
    made = []

    class Counted(Session):
        def __init__(self, session_vars: dict[str, Any]) -> None:
            super().__init__(session_vars)
            made.append(self)

    monkeypatch.setattr(botocore.session, "Session", Counted)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")
    regions = [aws.client(service).meta.region_name for service in ("s3", "dynamodb", "s3")]
    assert (regions, len(made)) == (["eu-south-1"] * 3, 1)
    assert aws.client("s3", aws.AwsOptions(region="eu-north-1")).meta.region_name == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-2")
    assert aws.client("s3").meta.region_name == "eu-south-2"
    assert len(made) == 3


def test_a_client_is_made_without_boto3() -> None:
    """Its managed transfers and resource objects are not used, and take long to import."""
    code = (
        "import sys; from splitjoin_cli.core.aws import client as aws; aws.client('s3')\n"
        "print(sorted({'boto3', 's3transfer', 'multiprocessing'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_clients_are_made_for_many_threads() -> None:
    """As many connections as were asked for, and no default checksum trailer."""
    config = aws.client("s3", connections=32, attempts=1).meta.config
    assert config.max_pool_connections == 32
    assert config.retries["total_max_attempts"] == 1
    assert config.request_checksum_calculation == "when_required"
    assert config.response_checksum_validation == "when_required"


@pytest.mark.parametrize("key", ["", "a", "a/b c+%20", "ü/"])
def test_s3_uris_keep_their_keys(key: str) -> None:
    """Nothing is decoded."""
    assert parse_uri(f"s3://bucket/{key}") == S3Uri("bucket", key)
    assert str(S3Uri("bucket", key)) == f"s3://bucket/{key}"


@pytest.mark.parametrize("uri", ["bucket/key", "s3:bucket", "s3://", "http://bucket/key"])
def test_other_uris_are_usage_errors(uri: str) -> None:
    """With the form that is meant."""
    with pytest.raises(UsageError) as caught:
        parse_uri(uri)
    assert (caught.value.message, caught.value.hint) == (f"not an S3 URI: {uri}", "s3://BUCKET/PREFIX/")


def test_delays_grow_to_a_bound() -> None:
    """Doubling, between half and all of the bound, by chance."""
    retry = Retry(jitter=random.Random(1).random)
    for failed, bound in enumerate([0.25, 0.5, 1, 2, 4, 8, 16, 20, 20], 1):
        delays = [retry.delay_seconds(failed) for _ in range(100)]
        assert bound / 2 <= min(delays) < bound * 0.55
        assert bound * 0.95 < max(delays) <= bound


def test_a_host_that_is_not_there_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt endpoint is no reason to wait a minute."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    client = aws.client("s3", aws.AwsOptions(endpoint_url="http://127.0.0.1:9", region="us-east-1"), attempts=1)
    bucket = Bucket(client, "b", retry=Retry(first_delay_seconds=0.001))
    attempts = []
    client.meta.events.register("before-send.s3", lambda **_: attempts.append(1))
    with pytest.raises(StoreError) as caught:
        bucket.checked("head_bucket", None)
    assert caught.value.message == "s3:HeadBucket s3://b/: cannot connect to 127.0.0.1:9"
    assert len(attempts) == 4


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        (answered("", status=500), 4),
        (answered("", status=500, message="at noon"), 10),
        (answered("503", status=503), 10),
        (answered("SlowDown", status=503), 10),
    ],
)
def test_an_error_that_says_nothing_is_given_up_soon(answer: ClientError, attempts: int) -> None:
    """It is a page of a proxy rather than the store's; a store that is busy or broken says so."""
    retry = Retry()
    assert [retry.may_repeat(answer, failed) for failed in range(1, 11)] == [
        failed < attempts for failed in range(1, 11)
    ]
