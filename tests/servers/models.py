"""Requests and answers held against botocore's models of AWS's services, where nothing stands in for a service."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

__all__ = ["check_answer", "check_request", "service_model"]


@cache
def service_model(service: str) -> ServiceModel:
    """The model of a service, as botocore has it."""
    model: ServiceModel = botocore.session.get_session().get_service_model(service)
    return model


@cache
def _operation(service: str, method: str) -> OperationModel:
    model = service_model(service)
    (name,) = (one for one in model.operation_names if xform_name(one) == method)
    return model.operation_model(name)


def check_request(service: str, method: str, arguments: dict[str, Any]) -> None:
    """Fail for a request that is not one: members, types, lengths, patterns, values."""
    shape = _operation(service, method).input_shape
    assert shape is not None
    _check(shape, arguments, f"{service}:{method}")


def check_answer(service: str, method: str, answer: dict[str, Any]) -> None:
    """The same for what a stub answers."""
    shape = _operation(service, method).output_shape
    assert shape is not None or answer == {}
    if shape is not None:
        _check(shape, answer, f"{service}:{method} answers")


def _check(shape: Shape, value: Any, where: str) -> None:  # noqa: ANN401 -- as botocore has it
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), f"{where}: {report.generate_report()}"
    _check_constraints(shape, value, where)


def _check_constraints(shape: Any, value: Any, where: str) -> None:  # noqa: ANN401 -- as botocore has it
    if shape.type_name == "structure":
        for name, one in value.items():
            _check_constraints(shape.members[name], one, f"{where}.{name}")
    elif shape.type_name == "list":
        for index, one in enumerate(value):
            _check_constraints(shape.member, one, f"{where}[{index}]")
    size = value if isinstance(value, int) else len(value) if hasattr(value, "__len__") else 0
    metadata = shape.metadata
    assert metadata.get("min", size) <= size <= metadata.get("max", size), f"{where}: {value!r}"
    if isinstance(value, str):
        pattern = metadata.get("pattern", ".*").replace(r"\p{ASCII}", r"[\x00-\x7f]")
        assert re.fullmatch(pattern, value, re.DOTALL), f"{where}: {value!r} is not {pattern}"
        assert value in (getattr(shape, "enum", None) or [value]), f"{where}: {value!r}"
