"""Faults put between the tracker and a real server, by botocore's own event hooks."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMESPACE = "com.amazonaws.dynamodb.v20120810#"


class Body:
    """A response's body as urllib3 hands it on."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._data


class Refuses:
    """Answers the first ``times`` requests of an operation with an error, instead of the server."""

    def __init__(self, client: Any, operation: str, *, status: int, code: str, times: int) -> None:  # noqa: ANN401
        self._status = status
        self._code = code
        self._left = times
        self._lock = threading.Lock()
        self.requests = 0
        client.meta.events.register(f"before-send.dynamodb.{operation}", self._answer)

    def _answer(self, request: Any, **_: object) -> AWSResponse | None:  # noqa: ANN401
        with self._lock:
            self.requests += 1
            self._left -= 1
            if self._left < 0:
                return None
        body = json.dumps({"__type": NAMESPACE + self._code, "message": "injected"}).encode()
        headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, self._status, headers, Body(body))


class LosesResponses:
    """Loses the answer to every other request of an operation, after the server has applied it."""

    def __init__(self, client: Any, operation: str) -> None:  # noqa: ANN401
        self._calls = 0
        self.lost = 0
        client.meta.events.register(f"after-call.dynamodb.{operation}", self._lose)

    def _lose(self, **_: object) -> None:
        self._calls += 1
        if self._calls % 2:
            self.lost += 1
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1/")


class ChangesAnswers:
    """Lets a function change what the server answered to an operation."""

    def __init__(self, client: Any, operation: str, change: Callable[[dict[str, Any]], None]) -> None:  # noqa: ANN401
        self._change = change
        client.meta.events.register(f"after-call.dynamodb.{operation}", self._apply)

    def _apply(self, parsed: dict[str, Any], **_: object) -> None:
        self._change(parsed)


class ActsBetween:
    """Does something once, after the server answered the ``reads``-th request of an operation and before the next one.

    That is somebody else's step between a read and the write that follows from it.
    """

    def __init__(self, client: Any, operation: str, act: Callable[[], object], *, reads: int = 1) -> None:  # noqa: ANN401
        self._act = act
        self._left = reads
        client.meta.events.register(f"after-call.dynamodb.{operation}", self._apply)

    def _apply(self, **_: object) -> None:
        self._left -= 1
        if self._left == 0:
            self._act()


class Counts:
    """Counts the requests of each operation, and keeps their parameters."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self.requests: Counter[str] = Counter()
        self.parameters: list[tuple[str, dict[str, Any]]] = []
        client.meta.events.register("provide-client-params.dynamodb", self._note)

    def _note(self, params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401
        self.requests[model.name] += 1
        self.parameters.append((model.name, params))


class Bills:
    """Asks for the consumed capacity of every update, and adds it up."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self.units = 0.0
        self.updates = 0
        client.meta.events.register("provide-client-params.dynamodb.UpdateItem", self._ask)
        client.meta.events.register("after-call.dynamodb.UpdateItem", self._add)

    def _ask(self, params: dict[str, Any], **_: object) -> dict[str, Any]:
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    def _add(self, parsed: dict[str, Any], **_: object) -> None:
        self.updates += 1
        self.units += parsed["ConsumedCapacity"]["CapacityUnits"]


class RefusesSome:
    """Answers every ``every``-th request of an operation with one of some errors, in turn, instead of the server."""

    def __init__(self, client: Any, operation: str, *, codes: tuple[str, ...], every: int) -> None:  # noqa: ANN401
        self._codes = codes
        self._every = every
        self._lock = threading.Lock()
        self._requests = 0
        self.refused = 0
        client.meta.events.register(f"before-send.dynamodb.{operation}", self._answer)

    def _answer(self, request: Any, **_: object) -> AWSResponse | None:  # noqa: ANN401
        with self._lock:
            self._requests += 1
            if self._requests % self._every:
                return None
            code = self._codes[self.refused % len(self._codes)]
            self.refused += 1
        body = json.dumps({"__type": NAMESPACE + code, "message": "injected"}).encode()
        headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, 400, headers, Body(body))
