"""The lines that the kernel writes are those that are made one by one, to the letter."""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.format import fast_lines
from tests.core.format.test_manifest import manifests
from tests.core.format.test_manifest_lines import made
from tests.laws import examples

if TYPE_CHECKING:
    from splitjoin_cli.core.format.manifest import Manifest


def one_by_one(manifest: Manifest) -> bytes:
    """The manifest without the kernel."""
    with mock.patch.dict(os.environ, {"SPLITJOIN_SCANNER": "numpy"}):
        return manifest.to_bytes()


@examples(100)
@given(manifests())
def test_a_manifest_is_the_same_bytes(manifest: Manifest) -> None:
    """Any names, ranges, rows and checksums, known or not; with mended chunks, which the kernel leaves alone."""
    assert manifest.to_bytes() == one_by_one(manifest)


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_lines_of_several_calls_follow_one_another(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands, in pieces of any number."""
    monkeypatch.setattr(fast_lines, "_AT_ONCE", at_once)
    manifest = made(2001)
    assert manifest.to_bytes() == one_by_one(manifest)


@examples(50)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_numbers_in_hexadecimal(numbers: list[int]) -> None:
    """64 bits each, with leading zeros."""
    wanted = ", ".join(f'"{number:016x}"' for number in numbers)
    assert fast_lines.hex_texts(array("Q", numbers)) == wanted
