"""PutObject and UploadPart on one bucket: made by botocore first, then by ourselves as long as nothing is unusual."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import HeadersDict
from botocore.exceptions import BotoCoreError

from splitjoin_cli.core.aws.data.known import PARAMETERS, UnusualRequestError, learned, places_of
from splitjoin_cli.core.aws.data.lines import Lines
from splitjoin_cli.core.aws.data.parsed import Parser
from splitjoin_cli.core.aws.data.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.aws.data.known import Credentials, KnownRequest, Places

__all__ = ["Carrier", "watch"]

OPERATIONS = {"put_object": "PutObject", "upload_part": "UploadPart"}
EXPECTING_BYTES = 2 * 1024 * 1024
"""From this size on a body waits until the server has seen the head, which may be all that it needs to refuse it."""
COMPARISONS = 3
"""So often a request is compared with botocore's before all are left to botocore for good."""
ELSEWHERE_STATUSES = frozenset({301, 302, 307})
ELSEWHERE_CODES = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
"""Answers that name another region or host: botocore knows how to go there."""
ERRORS_FROM = 300

_of_thread = threading.local()


def watch(client: Any) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """Let the requests of a client be seen as botocore makes them, in each thread its last."""
    for operation in OPERATIONS.values():
        client.meta.events.register_last(f"before-send.s3.{operation}", _see)


def _see(request: Any, **_: object) -> None:  # noqa: ANN401 -- botocore's AWSPreparedRequest
    if not isinstance(request, Request):
        _of_thread.request = request


class Request:
    """One request as botocore's hooks see theirs; a hook may put another ``body`` in place."""

    stream_output = False

    def __init__(self, method: str, url: str, head: Mapping[str, str], body: Any) -> None:  # noqa: ANN401 -- a file
        """``head``: its headers, signed."""
        self.method, self.url, self.body = method, url, body
        self.context: dict[str, Any] = {}
        self._head = head

    @property
    def headers(self) -> Any:  # noqa: ANN401 -- botocore's HeadersDict
        """Without regard to the case of their names."""
        return HeadersDict(self._head)


class Carrier:
    """Calls of a client of botocore's on one bucket; bodies go by connections of its own. Thread-safe.

    Answers, errors, and what the client's hooks hear before a request is sent and after it is answered are botocore's.
    A botocore that looks otherwise inside makes all requests itself.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 -- see watch
        """``client``: one that is watched, or any other one, which then makes all requests."""
        self._client = client
        self._known: tuple[KnownRequest, Lines] | None = None
        self._seen: tuple[Any, str, Mapping[str, Any]] | None = None
        self._compared = 0
        self._lines: list[Lines] = []
        self._operations: dict[str, tuple[Places, Parser]] = {}
        self._lock = threading.Lock()

    def call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """``client.method(**arguments)``."""
        body: Any = arguments.get("Body")
        if method not in OPERATIONS or not hasattr(body, "read") or not arguments.keys() <= PARAMETERS:
            return self._by_botocore(method, arguments)
        if self._seen is not None:
            self._learn()
        known = self._known
        if known is not None:
            try:
                answer = self._carry(*known, method, arguments)
            except UnusualRequestError:  # a value of this request alone
                return self._by_botocore(method, arguments)
            if answer is not None:
                return answer
            self._known = None
            body.seek(0)
        _of_thread.request = None
        try:
            answered = self._by_botocore(method, arguments)
            request = _of_thread.request
            if request is not None and self._known is None and self._compared < COMPARISONS:
                self._seen = request, method, {**arguments, "Body": None}
                request.body = None
        finally:
            _of_thread.request = None  # it holds the body
        return answered

    def close(self) -> None:
        """Drop all connections that are not in use."""
        for lines in self._lines:
            lines.close()

    def _by_botocore(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self._client, method)(**arguments)
        return answer

    def _learn(self) -> None:
        """Compare what botocore has sent with what would have been sent by ourselves.

        Not before the next request: a signal that comes while this lasts must not hide that the first was answered.
        """
        with self._lock:
            if self._seen is None:
                return
            (request, method, arguments), self._seen = self._seen, None
            self._compared += 1
            try:
                for name, operation_name in OPERATIONS.items():
                    operation = self._client.meta.service_model.operation_model(operation_name)
                    self._operations[name] = places_of(operation), Parser(self._client, operation)
                known = learned(request, self._operations[method][0], arguments, self._credentials())
                lines = Lines(self._client, known.origin)
            except (UnusualRequestError, AttributeError, LookupError, TypeError, ValueError, OSError, BotoCoreError):
                return  # the request that was to be sent has been: nothing is to be said of it
            self._lines.append(lines)
            self._known = known, lines

    def _carry(
        self, known: KnownRequest, lines: Lines, method: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Send the request. None where the answer leads elsewhere."""
        body, (places, parser) = arguments["Body"], self._operations[method]
        operation = parser.operation
        path, query = known.target(arguments, places)
        target = f"{path}?{query}" if query else path
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = known.headers((path, query), places.own_headers(arguments), self._credentials(), timestamp)
        size = len(body)
        headers["content-length"] = str(size)
        if expects := size >= EXPECTING_BYTES:
            headers["expect"] = "100-continue"
        context: dict[str, Any] = {"splitjoin_began": time.monotonic()}
        request = Request(known.method, known.origin + target, headers, body)
        answer = self._answered_by_hook(operation, request)
        if answer is None:
            said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"{known.method} {target} HTTP/1.1\r\n{said}\r\n".encode("latin-1")
            answer = lines.send(head, request.body, expects=expects)
        parsed = parser.parse(answer)
        code = parsed.get("Error", {}).get("Code")
        if answer.status_code in ELSEWHERE_STATUSES or code in ELSEWHERE_CODES:
            return None
        self._emit("after-call", operation, http_response=answer, parsed=parsed, model=operation, context=context)
        if answer.status_code >= ERRORS_FROM:
            raise self._client.exceptions.from_code(code)(parsed, operation.name)
        return parsed

    def _answered_by_hook(self, operation: Any, request: Request) -> Answer | None:  # noqa: ANN401 -- OperationModel
        """What a hook answers in the server's place (a stand-in for S3 within this process, an injected error)."""
        for _, response in self._emit("before-send", operation, request=request):
            if response is not None:
                headers = {name.lower(): str(value) for name, value in response.headers.items()}
                return Answer(response.status_code, headers, response.content)
        return None

    def _emit(self, event: str, operation: Any, **facts: object) -> Any:  # noqa: ANN401 -- as above; what hooks return
        return self._client.meta.events.emit(f"{event}.s3.{operation.name}", **facts)

    def _credentials(self) -> Credentials:
        """As they are now: those that end are renewed here, before they do."""
        found: Credentials = self._client._request_signer._credentials.get_frozen_credentials()  # noqa: SLF001 -- see class
        return found
