"""Cases that only ``make soak`` tries: in CI a neighbour, or a suite without command and server, holds the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

__all__ = ["seldom"]


def seldom(*values: object) -> ParameterSet:
    """One case of a parametrized test."""
    return pytest.param(*values, marks=pytest.mark.soak)
