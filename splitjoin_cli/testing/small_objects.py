"""The contract of a sink, as a suite of tests: plans and manifests that are read piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.testing.sinks import WithSink, noise

if TYPE_CHECKING:
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["SmallObjectContract"]

NAME = "acme_20240131.manifest.json"
LARGE = 9 * 1024 * 1024
"""More than a sink reads at once."""


class SmallObjectContract(WithSink):
    """Every sink: ``open_small``."""

    @pytest.mark.parametrize("size", [0, 1, 1000, LARGE])
    def test_small_objects_are_read_at_any_place(self, sink: Sink, size: int) -> None:
        """Forwards, backwards, beyond the end; the validator is that of all of it."""
        data = noise(size)
        sink.put_small(NAME, data)
        opened, whole = sink.open_small(NAME), sink.read_small(NAME)
        assert opened is not None
        assert whole is not None
        with opened:
            assert opened.size == size
            assert opened.validator == whole.validator or not size
            step = 3 * 1024 * 1024
            assert b"".join(opened.read_at(at, step) for at in range(0, size, step)) == data
            assert opened.read_at(max(size - 3, 0), 10) == data[max(size - 3, 0) :]
            assert opened.read_at(0, 5) == data[:5]
            assert opened.read_at(size, 5) == b""
        assert sink.open_small(f"{NAME}x") is None

    def test_what_is_read_is_of_one_content(self, sink: Sink) -> None:
        """Replaced meanwhile: the rest is the old one's, or an error, never the new one's."""
        sink.put_small(NAME, noise(LARGE))
        opened = sink.open_small(NAME)
        assert opened is not None
        with opened:
            assert opened.read_at(0, 10) == noise(LARGE)[:10]
            sink.put_small(NAME, noise(LARGE - 1))
            try:
                found = opened.read_at(LARGE - 10, 10)
            except StoreError as exc:
                assert exc.message.endswith("changed while it was read")  # noqa: PT017 -- either may be
            else:
                assert found == noise(LARGE)[-10:]
