"""What botocore makes of an answer: read by ourselves where it is a plain success, by botocore's parser otherwise."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import HeadersDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.core.aws.data.wire import Answer

__all__ = ["Parser"]

CONVERTED: Mapping[str, Callable[[str], object]] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": lambda text: text == "true",
}


class Parser:
    """For the answers to one operation. Thread-safe."""

    def __init__(self, client: Any, operation: Any) -> None:  # noqa: ANN401 -- botocore's client and OperationModel
        """``operation``: one whose answers have fields in headers alone."""
        self._client, self.operation = client, operation
        self._fields: dict[str, tuple[str, Callable[[str], object]]] = {}
        for name, member in operation.output_shape.members.items():
            if member.serialization.get("location") == "header" and member.type_name in CONVERTED:
                self._fields[member.serialization["name"].lower()] = name, CONVERTED[member.type_name]

    def parse(self, answer: Answer) -> dict[str, Any]:
        """The dictionary that a call of the client returns, or that its error holds as ``response``."""
        if answer.status_code != HTTPStatus.OK or answer.body:
            return self._by_botocore(answer)
        parsed: dict[str, Any] = {}
        for header, (name, convert) in self._fields.items():
            if header in answer.headers:
                parsed[name] = convert(answer.headers[header])
        said = {"RequestId": "x-amz-request-id", "HostId": "x-amz-id-2"}
        parsed["ResponseMetadata"] = {
            **{name: answer.headers[header] for name, header in said.items() if header in answer.headers},
            "HTTPStatusCode": answer.status_code,
            "HTTPHeaders": dict(answer.headers),
            "RetryAttempts": 0,
        }
        return parsed

    def _by_botocore(self, answer: Answer) -> dict[str, Any]:
        operation, events = self.operation, self._client.meta.events
        found = {
            "headers": HeadersDict(answer.headers),
            "status_code": answer.status_code,
            "body": answer.body,
            "context": {"operation_name": operation.name},
        }
        more: dict[str, Any] = {}
        events.emit(
            f"before-parse.s3.{operation.name}",
            operation_model=operation,
            response_dict=found,
            customized_response_dict=more,
        )
        factory = self._client._endpoint._response_parser_factory  # noqa: SLF001 -- see Carrier
        parser = factory.create_parser(operation.service_model.resolved_protocol)
        parsed: dict[str, Any] = parser.parse(found, operation.output_shape)
        parsed["ResponseMetadata"]["RetryAttempts"] = 0
        return {**parsed, **more}
