"""A part of a merged file that does not fit on a worker's disk."""

from __future__ import annotations

import errno
import shutil
import tempfile
from typing import TYPE_CHECKING, cast
from unittest import mock

import pytest

from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.deploy.split_handler import ROOM
from splitjoin_cli.splitting.engines import part as parts
from splitjoin_cli.splitting.engines.base import Failed, MergeUnit, PartSpec
from splitjoin_cli.splitting.engines.place import OpenStored, Place
from splitjoin_cli.splitting.engines.specs import HeaderSpec, Reach, SinkSpec, StoredSpec
from splitjoin_cli.splitting.engines.unit import run_unit
from splitjoin_cli.splitting.engines.wire import release
from tests.splitting.places import MemoryPlace

if TYPE_CHECKING:
    from splitjoin_cli.splitting.stored.judge import StoredPlace

SIZE = 600 * 1024 * 1024
UNIT = MergeUnit(
    version=release(),
    place=StoredSpec("s3://chunks/", Reach()),
    compression=None,
    header=HeaderSpec(0, 3, 1),
    first=1,
    chunks=(),
    size=SIZE,
    part=PartSpec(SinkSpec("s3://out/", Reach(), ObjectOptions()), "out.csv", "upload", 1, 0),
)


def answered(free: int) -> Failed:
    """Of a function whose disk has so many bytes left."""
    stored = OpenStored(cast("StoredPlace", MemoryPlace()), lambda: None)
    place = Place(opens_stored=lambda _: stored, worker="the function splits", room=ROOM, takes_paths=False)
    usage = shutil.disk_usage("/")._replace(free=free)
    with mock.patch.object(shutil, "disk_usage", return_value=usage):
        answer = run_unit(UNIT, place)
    assert isinstance(answer, Failed)
    return answer


def test_a_part_that_is_larger_than_the_disk_is_refused_before_it_is_read() -> None:
    """Which disk it is, and how to make it larger."""
    found, where = answered(512), tempfile.gettempdir()
    assert found.message == f"the function splits has no room for a part of {SIZE} bytes: {where} has 512 bytes free"
    assert found.hint == ROOM


@pytest.mark.parametrize(("code", "full"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_disk_that_fills_meanwhile_is_told_as_such(code: int, full: bool) -> None:  # noqa: FBT001 -- of the test
    """Others keep something there, too; any other trouble stays what it is."""
    with mock.patch.object(parts._Bodies, "copy", side_effect=OSError(code, "what the system says")):
        found = answered(2 * SIZE)
    assert ("has no bytes left" in found.message, found.hint == ROOM) == (full, full)
