"""How large a record may be, held by every loader: see splitjoin_cli/testing/loader_records.py."""

from __future__ import annotations

from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.testing.loader_records import LargeRecordContract
from splitjoin_cli.testing.loading import TABLE
from tests.stores.loaders import rigs

rig = rigs.rig


class TestLargeRecords(LargeRecordContract):
    pass


def test_what_loaders_take_unasked_is_what_a_split_warns_of() -> None:
    """One number, which a contract cannot import."""
    assert LoadTarget(TABLE).max_record_bytes == LARGE_RECORD_BYTES
