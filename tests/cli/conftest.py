"""What tests of the command line share: a core that does as it is told, and one way to run the command in-process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.api import one_split
from splitjoin_cli.cli.run import run
from tests.schemas import hold_printed

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.request import SplitRequest


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the command left: exit code, stdout, stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


@pytest.fixture
def splitjoin(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Ran]:
    """Run the command in this process."""

    def call(*arguments: str) -> Ran:
        capfdbinary.readouterr()
        code = run(arguments)
        out, err = capfdbinary.readouterr()
        ran = Ran(code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))
        if arguments[:1] != ("split",):  # whose results are made up in some tests
            hold_printed(arguments, code, ran.stdout)
        return ran

    return call


@dataclass(frozen=True, slots=True)
class Document:
    """A result that is its document alone."""

    values: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return self.values


@dataclass(slots=True)
class RecordsRequests:
    """Takes the place of the split itself: keeps what it was asked, plays ``events``, answers ``result``."""

    requests: list[SplitRequest] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    events: Callable[[Observer], None] = lambda _observer: None

    def __call__(self, request: SplitRequest, _job: object, observer: Observer, *_: object, **__: object) -> Document:
        self.requests.append(request)
        self.events(observer)
        return Document(self.result)

    @property
    def request(self) -> SplitRequest:
        """The only request."""
        (request,) = self.requests
        return request


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> RecordsRequests:
    """In the place of what api/one_split.py does with a request: three chunks, or what a test makes of it."""
    chunks = [
        {"number": number, "name": f"acme_20240131-{number}-3.csv", "start": 10 * number, "end": 10 * number + 10,
         "bytes": 20, "rows": number, "state": "uploaded", "error": None}
        for number in (1, 2, 3)
    ]  # fmt: skip
    result = {"file_name": "acme_20240131", "destination": "out/", "total_parts": 3, "rows": 1234, "bytes": 2_000_000,
              "chunks": chunks, "uploaded": 2, "skipped": 1, "failed": 0, "seconds": 2.5, "resume": None,
              "warnings": []}  # fmt: skip
    fake = RecordsRequests(result=result)
    monkeypatch.setattr(one_split, "perform", fake)
    return fake
