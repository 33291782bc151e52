"""Credentials that are expired, wrong, missing, or denied: what the installed command says, and what it leaves."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import check, export
from tests.seldom import seldom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Asked, Proxy
    from tests.servers.s3 import Bucket

EXPORT = export(200)
EXPIRED = (400, "ExpiredToken")
WRONG_KEY = (403, "InvalidAccessKeyId")
WRONG_SECRET = (403, "SignatureDoesNotMatch")
DENIED = (403, "AccessDenied")
SAID = {
    EXPIRED: ("the AWS credentials have expired", "get new ones (aws sso login) and run again"),
    WRONG_KEY: ("the AWS credentials are not valid (InvalidAccessKeyId)", "check --profile or AWS_ACCESS_KEY_ID"),
    WRONG_SECRET: ("the AWS credentials are not valid (SignatureDoesNotMatch)", "check --profile or AWS_ACCESS_KEY_ID"),
    DENIED: ("access denied", "the identity in use needs {permission}"),
}
PROFILE_HINT = "use --profile, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
HALF = "half of the AWS credentials is missing: the id of the key, or its secret"


@pytest.fixture
def desk(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy, tmp_path: Path) -> Splitjoin:
    """The command, its S3 behind the proxy; an export in a file and in the bucket."""
    (tmp_path / "acme.csv").write_bytes(EXPORT)
    bucket.client().put_object(Bucket=bucket.name, Key="src/acme.csv", Body=EXPORT)
    return splitjoin_s3.within(AWS_ENDPOINT_URL_S3=proxy.url)


def to_s3(bucket: Bucket) -> tuple[str, ...]:
    """A split into the bucket."""
    return ("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "3")


@pytest.mark.parametrize(
    "refusal", [EXPIRED, seldom(WRONG_KEY), seldom(WRONG_SECRET), DENIED], ids=lambda refusal: refusal[1]
)
def test_a_split_says_what_its_credentials_lack(
    desk: Splitjoin, bucket: Bucket, proxy: Proxy, refusal: tuple[int, str]
) -> None:
    """To S3 and from S3: action, resource, next step, also where S3 itself says nothing (HEAD); nothing is left."""
    proxy.refuse = lambda _: refusal
    said, hint = SAID[refusal]
    ran = desk(*to_s3(bucket), "--json")
    assert ran.code == 1
    assert ran.error["message"] == f"s3:ListObjectsV2 {bucket.uri}: {said}"
    assert ran.error["hint"] == hint.format(permission="s3:ListBucket")
    ran = desk("split", f"{bucket.uri}src/acme.csv", "out", "--json")
    assert ran.code == 1
    what = f"{bucket.uri}src/acme.csv"
    assert ran.error["message"] == f"cannot read {what}: s3:GetObject {what}: {said}"
    assert ran.error["hint"] == hint.format(permission="s3:GetObject")
    for command in (("verify", f"{bucket.uri}in/"), ("merge", f"{bucket.uri}in/", "merged.csv")):
        ran = desk(*command, "--json")
        assert (ran.code, ran.error["message"]) == (1, f"s3:ListObjectsV2 {bucket.uri}: {said}")
    assert bucket.keys("in/") == bucket.open_uploads() == []
    assert not (desk.directory / "out").exists()
    assert not (desk.directory / "merged.csv").exists()


def one(keys: str) -> Callable[[Asked], bool]:
    """A PUT of a key with ``keys`` in it."""
    return lambda asked: asked.method == "PUT" and keys in asked.key


def test_some_keys_are_denied(desk: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """One chunk's key alone: exit 3, the chunk's error names action and object, the same command resumes."""
    denied = one("acme_d-2-3")
    proxy.refuse = lambda asked: DENIED if denied(asked) else None
    ran = desk(*to_s3(bucket), "--json")
    assert ran.code == 3
    errors = [chunk["error"] for chunk in ran.document["chunks"]]
    assert errors == [None, f"s3:PutObject {bucket.uri}in/acme_d-2-3.csv: access denied", None]
    assert bucket.open_uploads() == []
    proxy.refuse = lambda _: None
    again = desk.json(*to_s3(bucket))
    assert (again["uploaded"], again["skipped"]) == (1, 2)
    check(again, EXPORT, lambda name: bucket.get(f"in/{name}"))


@pytest.mark.parametrize("refusal", [seldom(EXPIRED), DENIED], ids=lambda refusal: refusal[1])
def test_credentials_that_let_no_chunk_be_stored(
    desk: Splitjoin, bucket: Bucket, proxy: Proxy, refusal: tuple[int, str]
) -> None:
    """Every chunk denied, the plan not: exit 1 with the reason, and no plan that keeps other content from the name."""
    denied = one("acme_d-")
    proxy.refuse = lambda asked: refusal if denied(asked) else None
    ran = desk(*to_s3(bucket), "--json")
    said, hint = SAID[refusal]
    assert ran.code == 1
    assert ran.error["message"].startswith(f"no chunk was stored: s3:PutObject {bucket.uri}in/acme_d-")
    assert ran.error["message"].endswith(f"-3.csv: {said}")
    assert ran.error["hint"] == hint.format(permission="s3:PutObject")
    assert bucket.keys("in/") == bucket.open_uploads() == []
    proxy.refuse = lambda _: None
    (desk.directory / "acme.csv").write_bytes(export(100))
    assert desk.json(*to_s3(bucket))["uploaded"] == 3


@pytest.mark.parametrize(
    ("method", "key", "operation", "permission"),
    [
        ("PUT", "in/acme_d.plan.json", "s3:PutObject", "s3:PutObject"),
        ("HEAD", "in/acme_d.manifest.json", "s3:HeadObject", "s3:GetObject"),
    ],
)
def test_a_claim_that_is_denied_leaves_nothing(
    desk: Splitjoin, bucket: Bucket, proxy: Proxy, method: str, key: str, operation: str, permission: str
) -> None:
    """Whatever the claim may not do: exit 1 with action and object, and nothing in the place."""
    proxy.refuse = lambda asked: DENIED if (asked.method, asked.key) == (method, key) else None
    ran = desk(*to_s3(bucket), "--json")
    assert (ran.code, ran.error["message"]) == (1, f"{operation} {bucket.uri}{key}: access denied")
    assert ran.error["hint"] == f"the identity in use needs {permission}"
    assert bucket.keys("in/") == bucket.open_uploads() == []


@pytest.mark.parametrize("refusal", [seldom(EXPIRED), DENIED], ids=lambda refusal: refusal[1])
def test_a_right_that_is_missing_is_found_before_the_source_is_read(
    desk: Splitjoin, bucket: Bucket, proxy: Proxy, refusal: tuple[int, str]
) -> None:
    """No s3:PutObject: exit 1 after the first block of the source, and after nothing but what was refused."""
    asked_of: list[tuple[str, str]] = []

    def refuse(asked: Asked) -> tuple[int, str] | None:
        asked_of.append((asked.method, asked.key))
        return refusal if asked.method in ("PUT", "POST") else None

    proxy.refuse = refuse
    large = b"id,name\n" + b"1234567,abcdefgh\n" * 1_000_000
    bucket.client().put_object(Bucket=bucket.name, Key="src/large.csv", Body=large)
    command = ("split", f"{bucket.uri}src/large.csv", f"{bucket.uri}in/", "--client", "acme", "--date", "d", "--json")
    ran = desk(*command)
    said, hint = SAID[refusal]
    assert ran.code == 1
    what = f"s3:CreateMultipartUpload {bucket.uri}in/acme_d.plan.json"
    assert ran.error["message"] == f"nothing can be stored: {what}: {said}"
    assert ran.error["hint"] == hint.format(permission="s3:PutObject")
    assert {key for method, key in asked_of if method in ("PUT", "POST")} - {"in/acme_d.plan.json"} == {
        key for method, key in asked_of if method == "PUT" and key.startswith("in/.splitjoin-probe-")
    }
    assert "what this store can do" not in ran.stderr
    assert len([key for method, key in asked_of if (method, key) == ("GET", "src/large.csv")]) <= 2
    assert bucket.keys("in/") == bucket.open_uploads() == []
    dry = desk(*command, "--dry-run")
    assert dry.code == 0


def test_the_look_for_rights_leaves_nothing(desk: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """The upload is aborted at once; one that may not be aborted fails nothing, and the next split sweeps it."""
    asked_of: list[tuple[str, str]] = []

    def refuse(asked: Asked) -> tuple[int, str] | None:
        asked_of.append((asked.method, asked.key))
        return DENIED if asked.method == "DELETE" and "uploadId" in asked.query else None

    proxy.refuse = refuse
    assert desk(*to_s3(bucket)).code == 0
    assert [method for method, key in asked_of if key == "in/acme_d.plan.json"][:2] == ["POST", "DELETE"]
    assert bucket.open_uploads() == ["in/acme_d.plan.json"]
    proxy.refuse = lambda _: None
    assert desk(*to_s3(bucket), "--force", "--run-label", "again").code == 0
    assert bucket.open_uploads() == []


@pytest.mark.parametrize(
    "answer", [(501, "NotImplemented"), seldom((405, "MethodNotAllowed"))], ids=lambda answer: answer[1]
)
def test_a_store_without_multipart_uploads_is_written_to(
    desk: Splitjoin, bucket: Bucket, proxy: Proxy, answer: tuple[int, str]
) -> None:
    """The look for rights asks what such a store does not know: small chunks need none."""
    proxy.refuse = lambda asked: answer if asked.method == "POST" and "uploads" in asked.query else None
    assert desk.json(*to_s3(bucket))["uploaded"] == 3


def test_a_key_of_kms_that_is_denied(desk: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """The bucket is open and the key is not: S3 denies the PUT in IAM's words, of which the user needs two."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
    user = "arn:aws:iam::123456789012:user/split"
    proxy.message = (
        f"User: {user} is not authorized to perform: kms:GenerateDataKey on resource: {key} because no identity-based"
        " policy allows the kms:GenerateDataKey action"
    )
    denied = one("acme_d")
    proxy.refuse = lambda asked: DENIED if denied(asked) else None
    ran = desk(*to_s3(bucket), "--json")
    assert ran.code == 1
    what = f"s3:PutObject {bucket.uri}in/acme_d.plan.json"
    assert ran.error["message"] == f"{what}: access denied: no kms:GenerateDataKey on {key}"
    assert ran.error["hint"] == f"the identity in use needs kms:GenerateDataKey on {key}"


MISSING: dict[str, tuple[dict[str, str], str, str]] = {
    "none": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        "s3:ListObjectsV2 {uri}: no AWS credentials were found",
        PROFILE_HINT,
    ),
    "half in the environment": ({"AWS_SECRET_ACCESS_KEY": ""}, f"s3 client: {HALF}", PROFILE_HINT),
    "half in a profile": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "half"},
        f"s3 client: {HALF}",
        PROFILE_HINT,
    ),
    "an unknown profile": (
        {"AWS_PROFILE": "nobody"},
        "s3 client: The config profile (nobody) could not be found",
        "aws configure list-profiles shows those that are there",
    ),
    "a login that has ended": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "sso"},
        "s3:ListObjectsV2 {uri}: the AWS credentials could not be loaded (SSOTokenLoadError)",
        "aws sso login, or another --profile",
    ),
}
CONFIG = """
[profile half]
aws_access_key_id = AKIDEXAMPLE
[profile sso]
sso_session = company
sso_account_id = 123456789012
sso_role_name = splitter
[sso-session company]
sso_region = us-east-1
sso_start_url = https://example.awsapps.com/start
"""


@pytest.mark.parametrize("case", MISSING)
def test_credentials_that_are_not_there(desk: Splitjoin, bucket: Bucket, case: str, tmp_path: Path) -> None:
    """None, half of them, a profile that is not there, a login that has ended: each is told from the others."""
    (tmp_path / "config").write_text(CONFIG)
    env, message, hint = MISSING[case]
    ran = desk.within(AWS_CONFIG_FILE=str(tmp_path / "config"), **env)(*to_s3(bucket), "--json")
    assert ran.code == 1
    assert ran.error == {"code": 1, "message": message.format(uri=bucket.uri), "hint": hint}
    assert "AKIDEXAMPLE" not in ran.stdout + ran.stderr


@contextlib.contextmanager
def refusing_table(status: int, code: str, message: str) -> Iterator[str]:
    """A DynamoDB that answers everything with one error."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "said", "hint"),
    [
        seldom("ExpiredTokenException", *SAID[EXPIRED]),
        seldom(
            "UnrecognizedClientException",
            "the AWS credentials are not valid (UnrecognizedClientException)",
            SAID[WRONG_KEY][1],
        ),
        ("AccessDeniedException", *SAID[DENIED]),
    ],
)
def test_a_tracker_says_what_its_credentials_lack(
    desk: Splitjoin, bucket: Bucket, tmp_path: Path, code: str, said: str, hint: str
) -> None:
    """status, simulate and split --tracker: the action and the table; split stores nothing."""
    (tmp_path / "here").mkdir()
    user = "arn:aws:sts::123456789012:assumed-role/split/me"
    with refusing_table(400, code, f"User: {user} is not authorized to perform: dynamodb:Scan") as url:
        table = desk.within(AWS_ENDPOINT_URL_DYNAMODB=url)
        for operation, command in (
            ("dynamodb:Scan", ("status",)),
            ("dynamodb:GetItem", ("status", "acme_d")),
            ("dynamodb:GetItem", ("simulate", "acme.csv", "--name", "acme_d")),
            ("dynamodb:GetItem", to_s3(bucket)),
        ):
            ran = table(*command, "--tracker", "dynamodb:jobs", "--json")
            assert ran.code == 1
            assert ran.error["message"].startswith(f"{operation} dynamodb:jobs: {said}")
            if code != "AccessDeniedException":
                assert ran.error["hint"] == hint
            assert user not in ran.stdout + ran.stderr
    assert bucket.keys("in/") == bucket.open_uploads() == []
