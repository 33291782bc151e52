"""Documents and tables of a million chunks go to stdout piece by piece, and are what they would be in one piece."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, overload

import pytest

from splitjoin_cli.cli.split_text import _table
from splitjoin_cli.cli.terminal import BATCH, Terminal


class Lazy(Sequence[dict[str, int]]):
    """Items that are made as they are asked for."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> dict[str, int]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, int]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, int] | list[dict[str, int]]:
        if isinstance(index, slice):
            return [{"number": number} for number in range(self.size)[index]]
        return {"number": range(self.size)[index]}


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, 2 * BATCH + 1])
def test_a_lazy_sequence_is_written_as_a_list(count: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Character for character what json makes of the list, at each place in the document."""
    plain: dict[str, Any] = {
        "a": "\u00fc\n",
        "chunks": list(Lazy(count)),
        "none": None,
        "pair": (1, 2),
        "inner": {"x": []},
    }
    Terminal(as_json=True).document(plain | {"chunks": Lazy(count)})
    assert capfd.readouterr().out == json.dumps(plain) + "\n"


def test_an_empty_document(capfd: pytest.CaptureFixture[str]) -> None:
    """Still one document on one line."""
    Terminal(as_json=True).document({})
    assert capfd.readouterr().out == "{}\n"


def test_the_columns_of_a_table_are_aligned() -> None:
    """To the widest cell, wherever it is; numbers to the right, what is not known is a question mark."""
    chunks: list[dict[str, Any]] = [
        {
            "number": 1,
            "rows": None,
            "bytes": 1000,
            "start": 3,
            "end": 1000,
            "state": "planned",
            "name": "acme_1-1-2.csv",
        },
        {
            "number": 2,
            "rows": 123456,
            "bytes": 7,
            "start": 1000,
            "end": 1004,
            "state": "stored",
            "name": "acme_1-2-2.csv",
        },
    ]
    assert list(_table(chunks)) == [
        "number    rows  bytes  start   end    state  name",
        "     1       ?   1000      3  1000  planned  acme_1-1-2.csv",
        "     2  123456      7   1000  1004   stored  acme_1-2-2.csv",
    ]
