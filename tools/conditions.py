"""Finds the conditions of a module's functions, and makes of each the module without it: Python's, DynamoDB's, SQL's.

A condition is one comparison, call or name that decides: an operand of ``and`` and ``or``, one pair of two compared
tuples, the test of an ``if``, one part of a condition expression, one part of a WHERE clause. To remove it is to put
in its place what changes nothing there: True beside ``and``, False beside ``or``; where it stands alone, each in turn.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

KEY = "file_name"
ALWAYS_THERE = f"attribute_exists({KEY}) OR attribute_not_exists({KEY})"
NEVER_THERE = f"attribute_exists({KEY}) AND attribute_not_exists({KEY})"
_WORDS = re.compile(r"(\(|\)|\s(?:AND|OR)\s)")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module without one condition. ``name``: function, condition and what stands in its place."""

    name: str
    function: str
    source: str


@dataclass(frozen=True, slots=True)
class _Edit:
    """What to put in a node's place, and what to call that."""

    node: ast.expr
    text: str
    label: str


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """All functions and methods, those inside others as part of the outer one."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{each.name}", each) for each in node.body if isinstance(each, ast.FunctionDef))


def mutants_of(source: str, module: ModuleType | None = None) -> list[Mutant]:
    """Every mutant of a module's functions.

    ``module``: of one that makes condition expressions, which alone are changed then; their constants are its own.
    """
    tree = ast.parse(source)
    made: list[Mutant] = []
    for name, function in functions(tree):
        edits = [*_python(function), *_statements(function)] if module is None else _expressions(function, vars(module))
        for edit in edits:
            mutant = Mutant(f"{name}: {edit.label}", name, _replaced(source, edit))
            if mutant.name not in {other.name for other in made}:
                made.append(mutant)
            else:
                again = sum(other.name.partition(" [")[0] == mutant.name for other in made) + 1
                made.append(Mutant(f"{mutant.name} [{again}]", name, mutant.source))
    return made


def _replaced(source: str, edit: _Edit) -> str:
    lines = source.encode().splitlines(keepends=True)
    node = edit.node
    if node.end_lineno is None or node.end_col_offset is None:
        raise ValueError("a node without an end")
    begin = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    whole = source.encode()
    text = edit.text if isinstance(node, ast.Starred) else f"({edit.text})"
    return (whole[:begin] + text.encode() + whole[end:]).decode()


# Python


def _python(function: ast.FunctionDef) -> Iterator[_Edit]:
    for node in ast.walk(function):
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.Constant):
                yield from _decided(test)
            case ast.comprehension(ifs=tests):
                for test in tests:
                    yield from _decided(test)
            case ast.Return(value=value) | ast.Assign(value=value) | ast.keyword(value=value) if _is_bool(value):
                if value is not None:
                    yield from _decided(value)


def _is_bool(value: ast.expr | None) -> bool:
    """Whether an expression is a decision: a comparison, a ``not``, or such ones joined."""
    match value:
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return any(_is_bool(each) for each in values)
    return False


def _decided(test: ast.expr) -> Iterator[_Edit]:
    """A decision of its own: its parts, and where it is one condition alone, both ends of it."""
    if isinstance(test, ast.BoolOp) or _pairs(test):
        yield from _parts(test)
    else:
        for word in ("True", "False"):
            yield _Edit(test, word, f"{ast.unparse(test)} -> {word}")


def _parts(test: ast.expr) -> Iterator[_Edit]:
    if isinstance(test, ast.BoolOp):
        joined = "and" if isinstance(test.op, ast.And) else "or"
        word = "True" if joined == "and" else "False"
        for value in test.values:
            yield _Edit(value, word, f"{ast.unparse(test)} less {ast.unparse(value)}")
            yield from _parts(value)
    elif pairs := _pairs(test):
        for left, right in pairs:
            yield _Edit(left, ast.unparse(right), f"{ast.unparse(test)} less {ast.unparse(left)}")


def _pairs(test: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    match test:
        case ast.Compare(left=ast.Tuple(elts=left), ops=[ast.Eq() | ast.NotEq()], comparators=[ast.Tuple(elts=right)]):
            return list(zip(left, right, strict=True))
    return []


# DynamoDB's condition expressions: a value that no part names is an error there, so a part stays, and changes nothing


def _expressions(function: ast.FunctionDef, constants: Mapping[str, object]) -> Iterator[_Edit]:
    for part in _condition_parts(function):
        text = _text(part, constants)
        if isinstance(part, ast.Starred):
            for index, one in enumerate(text):
                rest = [*text[:index], f"({one}) OR {ALWAYS_THERE}", *text[index + 1 :]]
                yield _Edit(part, f"*{tuple(rest)!r}", f"condition less {one}")
        else:
            yield from _lacking(part, text[0], constants)


def _condition_parts(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """The elements of ``condition``, as keyword, as list, or appended; and what is put together for one of them."""
    for node in ast.walk(function):
        match node:
            case ast.keyword(arg="condition", value=ast.Tuple(elts=parts)):
                yield from parts
            case ast.Assign(targets=[ast.Name(id="condition")], value=ast.List(elts=parts)):
                yield from parts
            case ast.Call(func=ast.Attribute(value=ast.Name(id="condition"), attr="append"), args=[part]):
                yield part
            case ast.Assign(targets=[ast.Name()], value=ast.Constant(value=str()) as part):
                yield part


def _text(part: ast.expr, constants: Mapping[str, object]) -> list[str]:
    """What an element says; names of loops and arguments stay as they are written."""
    match part:
        case ast.Starred(value=ast.Name(id=name)):
            found = constants[name]
            if not isinstance(found, tuple):
                raise TypeError(f"{name} is no tuple of conditions")
            return list(found)
        case ast.Name(id=name):
            return [str(constants[name])]
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr():
            return [ast.unparse(part)[2:-1]]
    return [ast.unparse(part)]


def _lacking(part: ast.expr, text: str, constants: Mapping[str, object]) -> Iterator[_Edit]:
    if isinstance(part, ast.IfExp):
        for one in (part.body, part.orelse):
            yield from _lacking(one, _text(one, constants)[0], constants)
        return
    prefix = "f" if isinstance(part, ast.JoinedStr) else ""
    if "'" in text or '"' in text:
        raise ValueError(f"a condition with quotes: {text}")
    for leaf, changed in _without_each(text):
        yield _Edit(part, f'{prefix}"{changed}"', f"condition {text} less {leaf}")
    if " OR " in text:
        yield _Edit(part, f'{prefix}"({text}) OR {ALWAYS_THERE}"', f"condition less {text}")


def _without_each(text: str, *, always: str = f"OR {ALWAYS_THERE}") -> Iterator[tuple[str, str]]:
    """Each part of an expression of AND, OR and parentheses, and the expression without it."""
    joined, parts = _split(text)
    if len(parts) == 1:
        inner = parts[0].removeprefix("(").removesuffix(")")
        if parts[0].startswith("(") and (" AND " in inner or " OR " in inner):
            for leaf, changed in _without_each(inner, always=always):
                yield leaf, f"({changed})"
        else:
            yield text, f"({text} {always})"
        return
    for index, part in enumerate(parts):
        options = _without_each(part, always=always) if " " in part and part.startswith("(") else None
        if joined == "OR" and options is None:
            options = iter([(part, f"({part} AND {NEVER_THERE})")])
        for leaf, changed in options or [(part, f"({part} {always})")]:
            yield leaf, f" {joined} ".join([*parts[:index], changed, *parts[index + 1 :]])


def _split(text: str) -> tuple[str, list[str]]:
    """The word that joins the outermost parts, and they."""
    depth, joined, parts = 0, "", [""]
    for word in _WORDS.split(text):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word.strip() in {"AND", "OR"}:
            joined = word.strip()
            parts.append("")
        else:
            parts[-1] += word
    return joined, parts


# SQL: a part of a WHERE clause stays with its placeholder, and holds always


def _statements(function: ast.FunctionDef) -> Iterator[_Edit]:
    for node in ast.walk(function):
        if isinstance(node, ast.Constant | ast.JoinedStr) and not _inside_other_string(function, node):
            yield from _where(node)


def statement_mutants(source: str) -> list[Mutant]:
    """The same of statements that a module keeps as constants."""
    made = []
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=(ast.Constant() | ast.JoinedStr()) as value):
                edits = list(_where(value))
                made += [Mutant(f"{name}: {edit.label}", name, _replaced(source, edit)) for edit in edits]
    return made


def _inside_other_string(function: ast.FunctionDef, node: ast.expr) -> bool:
    return any(
        isinstance(other, ast.JoinedStr) and node is not other and node in ast.walk(other)
        for other in ast.walk(function)
    )


def _where(node: ast.expr) -> Iterator[_Edit]:
    text = ast.unparse(node)
    head, word, clause = text.partition(" WHERE ")
    if not word:
        return
    quote = clause[-1]
    while clause.endswith(quote):
        clause = clause[:-1]
    end = text[len(head) + len(word) + len(clause) :]
    for leaf, changed in _without_each(clause, always="OR 1"):
        yield _Edit(node, f"{head}{word}{changed}{end}", f"WHERE less {leaf}")


def rewritten(source: str, old: str, new: str) -> str:
    """``source`` with one text for another. Raises ValueError unless ``old`` is there exactly once."""
    if source.count(old) != 1:
        raise ValueError(f"{source.count(old)} times in the module, and not once: {old}")
    return source.replace(old, new)
