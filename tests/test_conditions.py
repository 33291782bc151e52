"""The conditions that tools/conditions.py finds, and what it makes of a module without one of them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tools import mutants
from tools.conditions import mutants_of, rewritten, statement_mutants

PYTHON = """
def decide(a, b, run):
    if a is None or (a.id, a.age) != (run.id, run.age):
        return False
    return a.open and b > 1
"""
SQL = """
def look(db):
    db.execute("SELECT 1 FROM t WHERE a = ? AND b < ?", (1, 2))
"""
EXPRESSIONS = """
def update(run):
    return Update(condition=(*SAME, FREE, f"NOT contains({run}, :member)"), values={"a": 1})
"""


def functions_of(source: str) -> dict[str, dict[str, Any]]:
    """The names that each mutant's module defines, by the mutant's name."""
    found: dict[str, dict[str, Any]] = {}
    for mutant in mutants_of(source):
        found[mutant.name] = {}
        exec(mutant.source, found[mutant.name])  # noqa: S102 -- the sources are those above
    return found


def test_each_part_of_a_decision_goes_alone() -> None:
    """Operands, compared pairs and what is returned; the module is otherwise the same."""
    assert list(functions_of(PYTHON)) == [
        "decide: a is None or (a.id, a.age) != (run.id, run.age) less a is None",
        "decide: a is None or (a.id, a.age) != (run.id, run.age) less (a.id, a.age) != (run.id, run.age)",
        "decide: (a.id, a.age) != (run.id, run.age) less a.id",
        "decide: (a.id, a.age) != (run.id, run.age) less a.age",
        "decide: a.open and b > 1 less a.open",
        "decide: a.open and b > 1 less b > 1",
    ]


class Thing:
    def __init__(self, name: int, age: int, *, is_open: bool = True) -> None:
        self.id, self.age, self.open = name, age, is_open


def test_a_mutant_lacks_its_condition_and_no_other() -> None:
    """Beside ``and`` it holds, beside ``or`` it does not, and a pair is equal."""
    found = {name.partition(" less ")[2]: module["decide"] for name, module in functions_of(PYTHON).items()}
    assert found["a.id"](Thing(2, 1), 2, Thing(1, 1)) is True
    assert found["a.age"](Thing(2, 1), 2, Thing(1, 1)) is False
    assert found["a.open"](Thing(1, 1, is_open=False), 2, Thing(1, 1)) is True
    assert found["b > 1"](Thing(1, 1), 0, Thing(1, 1)) is True
    with pytest.raises(AttributeError):
        found["a is None"](None, 2, Thing(1, 1))


def test_statements_keep_their_placeholders() -> None:
    """In functions and in constants."""
    assert [mutant.name for mutant in mutants_of(SQL)] == ["look: WHERE less a = ?", "look: WHERE less b < ?"]
    assert "WHERE (a = ? OR 1) AND b < ?" in mutants_of(SQL)[0].source
    (mutant,) = statement_mutants('SENT = "UPDATE t SET a = 1 WHERE b = ?"')
    assert mutant.source == "SENT = ('UPDATE t SET a = 1 WHERE (b = ? OR 1)')"


def test_condition_expressions_keep_their_values() -> None:
    """DynamoDB refuses a value that is not used: a part stays, and changes nothing."""
    module = ModuleType("module")
    vars(module).update(SAME=("run_id = :run", "generation = :one"), FREE="attribute_not_exists(a) OR a = :a")
    always = "attribute_exists(file_name) OR attribute_not_exists(file_name)"
    never = "attribute_exists(file_name) AND attribute_not_exists(file_name)"
    made = {mutant.name: mutant.source for mutant in mutants_of(EXPRESSIONS, module)}
    assert list(made) == [
        "update: condition less run_id = :run",
        "update: condition less generation = :one",
        "update: condition attribute_not_exists(a) OR a = :a less attribute_not_exists(a)",
        "update: condition attribute_not_exists(a) OR a = :a less a = :a",
        "update: condition less attribute_not_exists(a) OR a = :a",
        "update: condition NOT contains({run}, :member) less NOT contains({run}, :member)",
    ]
    assert f"(run_id = :run) OR {always}" in made["update: condition less run_id = :run"]
    assert f"attribute_not_exists(a) OR (a = :a AND {never})" in list(made.values())[3]


def test_a_text_that_is_not_there_once_is_an_error() -> None:
    """What was renamed must not look as if it were checked."""
    assert rewritten("a b", "b", "c") == "a c"
    for source in ("a", "b b"):
        with pytest.raises(ValueError, match=r"times in the module, and not once: b$"):
            rewritten(source, "b", "c")


def test_every_condition_of_the_join_has_a_mutant() -> None:
    """Each module's functions are listed, with what they decide; a new one, or another name, is an error here."""
    made = [mutants.name_of(target, mutant) for target in mutants.TARGETS for mutant in target.mutants()]
    assert len(set(made)) == len(made)
    assert mutants.UNNOTICED.keys() <= set(made)
