"""What is sent by ourselves is what botocore would have sent, and what is unusual is left to it."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.crt.auth import CRT_AUTH_TYPE_MAPS
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.data import carrier as carrier_module
from splitjoin_cli.core.aws.data.carrier import Carrier
from splitjoin_cli.core.aws.data.known import learned, places_of
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.stores.sinks.s3_body import BytesBody, RequestBody
from tests.laws import examples
from tests.servers.faults import _Raw, _text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.awsrequest import AWSPreparedRequest

SESSION = b"""<CreateSessionResult><Credentials><SessionToken>t</SessionToken><SecretAccessKey>s</SecretAccessKey>
<AccessKeyId>a</AccessKeyId><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>"""
ELSEWHERE = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"


class Store:
    """Stands in for S3 within this process: keeps the requests, and answers 200, or what is next in ``answers``."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
        self.client = client
        self.requests: list[AWSPreparedRequest] = []
        self.bodies: list[bytes] = []
        self.answers: list[tuple[int, bytes]] = []
        client.meta.events.register_first("before-send.s3", self._answer)

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        if event_name.endswith("CreateSession"):
            return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(SESSION))
        body: Any = request.body
        self.requests.append(request)
        self.bodies.append(b"".join(iter(lambda: bytes(body.read()), b"")))
        status, text = self.answers.pop(0) if self.answers else (200, b"")
        headers = HTTPHeaders()
        for name, value in (("ETag", '"1"'), ("Content-Length", str(len(text)))):
            headers[name] = value
        return AWSResponse(request.url, status, headers, _Raw(text))

    def headers(self, number: int = -1) -> dict[str, str]:
        """Those of a request, in lower case."""
        return {name.lower(): _text(value) for name, value in self.requests[number].headers.items()}


def store(monkeypatch: pytest.MonkeyPatch, *, token: str | None = None, **variables: str) -> Store:
    """With a client of its own, in that environment."""
    set_to = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1", **variables}
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    if token is not None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    return Store(aws.client("s3", attempts=1))


def put(carrier: Carrier, *, bucket: str = "bucket", key: str = "key", data: bytes = b"data", **more: object) -> Any:  # noqa: ANN401 -- botocore's answer
    """One PutObject of the carrier's."""
    body = RequestBody(BytesBody(data), ByteRange(0, len(data)), uri="", stopped=lambda: False)
    return carrier.call("put_object", {"Bucket": bucket, "Key": key, "Body": body, **more})


def carries(carrier: Carrier, **more: Any) -> bool:  # noqa: ANN401 -- as for put
    """Whether it sends by itself once it has seen a request."""
    put(carrier, **more)
    if carrier._seen is not None:
        carrier._learn()
    return carrier._known is not None


VALUES = (
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30).map(str.strip).filter(bool)
)


@pytest.mark.parametrize("signer", [S3SigV4Auth, CRT_AUTH_TYPE_MAPS["s3v4"]], ids=["python", "awscrt"])
@pytest.mark.parametrize("token", [None, "a/long+token=="])
def test_requests_are_those_that_botocore_makes(
    monkeypatch: pytest.MonkeyPatch, token: str | None, signer: type[S3SigV4Auth]
) -> None:
    """Signature and all, for any key, metadata, condition and part, whatever request was seen first, and who signed."""
    monkeypatch.setitem(AUTH_TYPE_MAPS, "s3v4", signer)
    made = store(monkeypatch, token=token)
    first = Carrier(made.client)
    assert carries(first, key="first")
    assert first._known is not None
    known = first._known[0]
    client: Any = made.client
    credentials = client._request_signer._credentials.get_frozen_credentials()
    model = made.client.meta.service_model

    def seen_again(operation: str, method: str, parameters: Mapping[str, Any]) -> None:
        getattr(made.client, method)(Body=BodyOfNothing(), **parameters)
        again = learned(made.requests[-1], places_of(model.operation_model(operation)), parameters, credentials)
        assert again.fixed.keys() == known.fixed.keys()
        assert (again.origin, again.before_key, again.region) == (known.origin, known.before_key, known.region)

    @examples(10)
    @given(
        key=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(
            lambda text: text.encode().strip(b"./") != b""
        ),
        metadata=VALUES,
        tags=VALUES,
        upload_id=VALUES,
        part=st.integers(1, 10_000),
        conditional=st.booleans(),
    )
    def law(key: str, metadata: str, tags: str, upload_id: str, part: int, *, conditional: bool) -> None:
        condition = {"IfNoneMatch": "*", "RequestPayer": "requester"} if conditional else {"IfMatch": '"etag"'}
        at = {"Bucket": "bucket", "Key": key, "ChecksumCRC64NVME": "AAAAAAAAAAA="}
        seen_again("PutObject", "put_object", {**at, "Metadata": {"splitjoin": metadata}, "Tagging": tags, **condition})
        seen_again("UploadPart", "upload_part", {**at, "UploadId": upload_id, "PartNumber": part})

    law()


class BodyOfNothing:
    """As long as nothing."""

    def __len__(self) -> int:
        return 0

    def read(self, _size: int = -1) -> bytes:
        return b""

    def tell(self) -> int:
        return 0

    def seek(self, _offset: int, _whence: int = 0) -> int:
        return 0


@pytest.mark.parametrize(
    ("variables", "bucket", "url"),
    [
        ({}, "bucket", "https://bucket.s3.amazonaws.com/a%20b"),
        ({"AWS_REGION": "eu-central-1"}, "bucket", "https://bucket.s3.eu-central-1.amazonaws.com/a%20b"),
        ({}, "dotted.bucket", "https://s3.amazonaws.com/dotted.bucket/a%20b"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "bucket", "https://bucket.s3.dualstack.us-east-1.amazonaws.com/a%20b"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "bucket", "https://bucket.s3-fips.us-east-1.amazonaws.com/a%20b"),
        (
            {},
            "arn:aws:s3:us-east-1:123456789012:accesspoint/mine",
            "https://mine-123456789012.s3-accesspoint.us-east-1.amazonaws.com/a%20b",
        ),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"}, "bucket", "http://127.0.0.1:9000/bucket/a%20b"),
    ],
)
def test_every_usual_endpoint_is_learned(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], bucket: str, url: str
) -> None:
    """The second request goes where botocore sent the first, and hooks hear of it as of botocore's own."""
    made = store(monkeypatch, **variables)
    carrier = Carrier(made.client)
    assert carries(carrier, bucket=bucket)
    assert put(carrier, bucket=bucket, key="a b", IfNoneMatch="*")["ETag"] == '"1"'
    assert made.requests[-1].url == url
    assert type(made.requests[-1]).__name__ == "Request"
    assert (made.headers()["if-none-match"], made.headers()["content-length"]) == ("*", "4")
    assert made.bodies == [b"data", b"data"]


def test_what_is_unusual_is_left_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Directory buckets, unsigned requests, signed payloads, other signatures, hooks that change requests, proxies."""
    assert not carries(Carrier(store(monkeypatch).client), bucket="bucket--use1-az4--x-s3")
    session = botocore.session.Session()
    for config in (Config(signature_version=botocore.UNSIGNED), Config(s3={"payload_signing_enabled": True})):
        other = Store(session.create_client("s3", config=config))
        assert not carries(Carrier(other.client))
    hooked = store(monkeypatch)
    hooked.client.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("X-Own", "1"))
    assert not carries(Carrier(hooked.client))
    parameter = Carrier(store(monkeypatch).client)
    assert carries(parameter)
    put(parameter, CacheControl="no-cache")
    proxied = store(monkeypatch, HTTPS_PROXY="http://127.0.0.1:1")
    assert not carries(Carrier(proxied.client))
    assert carries(Carrier(store(monkeypatch, NO_PROXY=".amazonaws.com").client))


def test_a_value_that_no_header_holds_is_left_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is wrong with it, or encodes it."""
    made = store(monkeypatch)
    carrier = Carrier(made.client)
    assert carries(carrier)
    put(carrier, SSEKMSKeyId=" spaces around ")
    assert type(made.requests[-1]).__name__ == "AWSPreparedRequest"
    put(carrier)
    assert type(made.requests[-1]).__name__ == "Request"


def test_renewed_credentials_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request has the token of its moment."""
    numbers = iter(range(100))

    def renew() -> dict[str, str]:
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
        number = next(numbers)
        keys = {"access_key": f"AKID{number}", "secret_key": f"secret{number}", "token": f"token{number}"}
        return {**keys, "expiry_time": soon.isoformat()}

    made = store(monkeypatch, token="first")  # noqa: S106 -- nobody's
    carrier = Carrier(made.client)
    assert carries(carrier)
    made.client._request_signer._credentials = RefreshableCredentials.create_from_metadata(renew(), renew, "test")
    tokens = []
    for _ in range(2):
        put(carrier)
        tokens.append(made.headers()["x-amz-security-token"])
        number = tokens[-1].removeprefix("token")
        assert f"Credential=AKID{number}/" in made.headers()["authorization"]
    assert len(set(tokens)) == 2


def test_an_answer_that_leads_elsewhere_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore finds the bucket's region and sends the body from its front; the next one goes there at once."""
    made = store(monkeypatch)
    carrier = Carrier(made.client)
    assert carries(carrier)
    made.answers = [(400, ELSEWHERE), (400, ELSEWHERE), (200, b"")]
    assert put(carrier)["ETag"] == '"1"'
    put(carrier)
    hosts = [request.url.split("/")[2] for request in made.requests]
    here, there = "bucket.s3.amazonaws.com", "bucket.s3.eu-west-1.amazonaws.com"
    assert hosts == [here, here, here, there, there]
    assert "/eu-west-1/s3/aws4_request" in made.headers()["authorization"]
    assert type(made.requests[-1]).__name__ == "Request"
    assert set(made.bodies) == {b"data"}


def test_an_answer_is_returned_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that ends the comparison must not hide that an object is there: it comes before the next request."""
    made = store(monkeypatch)
    carrier = Carrier(made.client)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(carrier_module, "learned", interrupted)
    assert put(carrier)["ETag"] == '"1"'
    with pytest.raises(KeyboardInterrupt):
        put(carrier)
    assert len(made.requests) == 1


def test_many_threads_send_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that came before the first was answered went by botocore; all are answered."""
    made = store(monkeypatch)
    carrier = Carrier(made.client)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(put(carrier)["ETag"])) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert results == ['"1"'] * 8
    put(carrier)
    assert type(made.requests[-1]).__name__ == "Request"
