"""Every value of docs/values.md, loaded anew on every database."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.loaders.exact.equality import Kind
from tests.stores.loaders.test_values_page import on_page
from tools.values.__main__ import MODULES, row_of
from tools.values.cases import CASES
from tools.values.runs import database, outcomes

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.stores.loaders.exact.base import TypeRule

pytestmark = pytest.mark.soak
NEVER_CLEARED = {"FLOAT(7,2)", "interval day"}
"""Types, beside lists, whose values are always compared."""
SHOWN_IN_HEX = "BINARY(4)"
"""By the page alone: the text of it is kept."""


@pytest.mark.parametrize("name", CASES)
def test_the_page_is_what_databases_do(name: str, tmp_path: Path) -> None:
    """By default and exactly; nothing is refused that was kept as it is."""
    with database(name, tmp_path) as (rig, _):
        rows = [row for kind, texts in CASES[name].items() for row in outcomes(name, rig, kind, texts)]
    assert [row for row in rows if row.is_alarm] == []
    assert [row_of(row) for row in rows] == on_page(name)


@pytest.mark.parametrize("name", CASES)
def test_each_condition_and_each_rule_is_needed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions that clear everything let each lost value in; rules of text alone refuse other spellings."""
    types: dict[str, TypeRule] = importlib.import_module(f"splitjoin_cli.stores.loaders.exact.{MODULES[name]}").TYPES
    rules = dict(types)
    with database(name, tmp_path) as (rig, _):
        right = {kind: outcomes(name, rig, kind, texts) for kind, texts in CASES[name].items()}
        for key, rule in rules.items():
            monkeypatch.setitem(types, key, replace(rule, sure="1 = 1"))
        for kind, rows in right.items():
            if kind in NEVER_CLEARED or "[" in kind:
                continue
            if lost := [row for row in rows if row.kept is not None and not row.exact]:
                now = outcomes(name, rig, kind, tuple(row.text for row in lost))
                assert all(row.exact for row in now), kind
        for key, rule in rules.items():
            monkeypatch.setitem(types, key, replace(rule, kind=rule.kind and Kind.TEXT, sure="1 = 0"))
        for kind, rows in right.items():
            respelled = [row for row in rows if row.exact and row.kept != row.text]
            checked = [row for row in rows if row.kept is not None and not row.exact]
            if respelled and checked and kind != SHOWN_IN_HEX:
                now = outcomes(name, rig, kind, tuple(row.text for row in respelled))
                assert not all(row.exact for row in now), kind
