"""Exporters that only ``make exporters`` brings: what they write is loaded as it was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_exporters import places  # noqa: F401 -- a fixture
from tools.exporters.elsewhere import ELSEWHERE
from tools.exporters.loading import DATABASES, Outcome, outcomes
from tools.exporters.variants import LIVE, Places, Variant

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.soak
@pytest.mark.server
@pytest.mark.parametrize("variant", ELSEWHERE, ids=lambda variant: variant.name)
def test_an_export_is_loaded_as_it_was_meant(variant: Variant, places: Places, tmp_path: Path) -> None:  # noqa: F811
    """Every value in every database, but for what the exporter itself loses."""
    file = tmp_path / "awkward.csv"
    try:
        variant.write(file, places)
    except FileNotFoundError as exc:
        pytest.skip(f"{exc.filename} is not installed")
    found = outcomes(variant, file, places, len(LIVE) + ELSEWHERE.index(variant) + 1)
    assert found == dict.fromkeys(DATABASES, Outcome(variant.lost_rows))
