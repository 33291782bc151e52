"""Every value of docs/values.md, loaded anew on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stores.loaders.test_values_page import on_page
from tools.values.__main__ import row_of
from tools.values.cases import CASES
from tools.values.runs import database, outcomes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("name", CASES)
def test_the_page_is_what_databases_do(name: str, tmp_path: Path) -> None:
    """By default and exactly; nothing is refused that was kept as it is."""
    with database(name, tmp_path) as (rig, _):
        rows = [row for kind, texts in CASES[name].items() for row in outcomes(name, rig, kind, texts)]
    assert [row for row in rows if row.is_alarm] == []
    assert [row_of(row) for row in rows] == on_page(name)
