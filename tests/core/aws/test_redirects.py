"""A bucket in another region: botocore follows S3's redirects; where it cannot, the region is named, or asked for."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.exceptions import ClientError

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.s3 import Bucket
from splitjoin_cli.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOME, ASKED = "eu-central-1", "us-east-1"
BODY = '<?xml version="1.0"?><Error><Code>{}</Code><Message>The bucket is elsewhere</Message>{}</Error>'


class Regions:
    """S3 in two regions, behind a client: the bucket is in HOME, and ASKED says so, as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, status: int, code: str, names_region: bool = True) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        self._status, self._code = status, code
        self._region = {"x-amz-bucket-region": HOME} if names_region else {}
        self.seen: list[tuple[str, str, bytes]] = []
        self.client = aws.client("s3", aws.AwsOptions(region=ASKED), attempts=1)
        self.client.meta.events.register_first("before-send.s3", self._answer)

    def _answer(self, request: Any, **_: object) -> AWSResponse:  # noqa: ANN401 -- botocore's AWSPreparedRequest
        sent = request.body
        data = sent if isinstance(sent, bytes) else b"" if sent is None else sent.read()
        self.seen.append((request.method, request.url, data))
        if HOME in request.url:
            return AWSResponse(request.url, 200, HTTPHeaders.from_dict({"ETag": '"e"'}), _Raw(b""))
        region = f"<Region>{HOME}</Region>" if self._region else ""
        body = b"" if request.method == "HEAD" else BODY.format(self._code, region).encode()
        return AWSResponse(request.url, self._status, HTTPHeaders.from_dict(self._region), _Raw(body))


class _Raw(io.BytesIO):
    """As urllib3's answer is used by botocore."""

    def stream(self, *_: object, **__: object) -> Any:  # noqa: ANN401 -- an iterator of blocks
        yield self.read()


CASES = [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (400, "AuthorizationHeaderMalformed")]
READ: Callable[[Any], Any] = lambda client: client.get_object(Bucket="acme-chunks", Key="a.csv")  # noqa: E731
WRITE: Callable[[Any], Any] = lambda client: client.put_object(  # noqa: E731
    Bucket="acme-chunks", Key="a.csv", Body=io.BytesIO(b"all of it"), IfNoneMatch="*"
)


@pytest.mark.parametrize(("status", "code"), CASES)
@pytest.mark.parametrize("act", [READ, WRITE], ids=["read", "write"])
def test_a_redirect_is_followed(
    status: int, code: str, act: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same request, with all of its body, to the bucket's own region."""
    regions = Regions(monkeypatch, status=status, code=code)
    assert act(regions.client)["ETag"] == '"e"'
    (_, first, _), (method, second, body) = regions.seen
    assert (HOME in first, HOME in second) == (False, True)
    assert body == (b"all of it" if method == "PUT" else b"")


@pytest.mark.parametrize(("status", "code"), CASES)
def test_a_redirect_to_nowhere_is_named(status: int, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store, or a proxy, that does not say which region it is: the error says what to type."""
    regions = Regions(monkeypatch, status=status, code=code, names_region=False)
    bucket = Bucket(regions.client, "acme-chunks")
    with pytest.raises(StoreError, match="the bucket is in another region") as caught:
        bucket.checked("get_object", "a.csv")
    assert caught.value.hint == "use --region with the bucket's region"


def test_a_head_has_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is followed by the region in its headers alone."""
    regions = Regions(monkeypatch, status=301, code="")
    assert regions.client.head_object(Bucket="acme-chunks", Key="a.csv")["ETag"] == '"e"'
    silent = Regions(monkeypatch, status=301, code="", names_region=False)
    with pytest.raises(ClientError) as caught:
        silent.client.head_object(Bucket="acme-chunks", Key="a.csv")
    assert aws.translate(caught.value, "s3:HeadObject", "x").hint == "use --region with the bucket's region"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_proxy_that_redirects_is_named(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends http to https, for any request: botocore asked for the bucket's region for ever."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with _redirecting(status) as url:
        client = aws.client("s3", aws.AwsOptions(endpoint_url=url, region=ASKED), attempts=1)
        bucket = Bucket(client, "acme-chunks")
        for act in ("get_object", "head_object"):
            with pytest.raises(StoreError) as caught:
                bucket.checked(act, "a.csv")
            assert caught.value.message.endswith("a.csv: the endpoint redirects to https://store.example.com")
            assert caught.value.hint == "use --endpoint-url https://store.example.com"


@contextmanager
def _redirecting(status: int) -> Iterator[str]:
    class Redirects(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", f"https://user:secret@store.example.com{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 -- the base class's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirects) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
