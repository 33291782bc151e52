"""The properties of tests/hostile, with thousands of documents for each parser and hundreds for each command."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.plan_file import PlanFile
from tests.hostile.documents import hostile_bytes
from tests.hostile.places import COMMANDS, beside_a_neighbour, check_command, check_worker
from tests.hostile.test_parsers import RIGHT_MANIFEST, RIGHT_PLAN, read_document

if TYPE_CHECKING:
    from pathlib import Path

PARSED = settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
RUN = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _own_temporary_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What simulations leave goes with the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.soak
@PARSED
@given(hostile_bytes(RIGHT_MANIFEST))
def test_manifests(data: bytes) -> None:
    """In range, or refused by name."""
    read_document(Manifest, data)


@pytest.mark.soak
@PARSED
@given(hostile_bytes(RIGHT_PLAN))
def test_plans(data: bytes) -> None:
    """In range, or refused by name."""
    read_document(PlanFile, data)


@pytest.mark.soak
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@RUN
@given(manifest=hostile_bytes(RIGHT_MANIFEST), plan=hostile_bytes(RIGHT_PLAN))
def test_commands(words: list[str], manifest: bytes, plan: bytes) -> None:
    """Both documents at once: success or a refusal, and nothing beyond the place."""
    with beside_a_neighbour(manifest=manifest, plan=plan) as root:
        check_command(root, words)


@pytest.mark.soak
@RUN
@given(manifest=hostile_bytes(RIGHT_MANIFEST), plan=hostile_bytes(RIGHT_PLAN))
def test_workers(manifest: bytes, plan: bytes) -> None:
    """Loaded, or an error of ours."""
    with beside_a_neighbour(manifest=manifest, plan=plan) as root:
        check_worker(root)
