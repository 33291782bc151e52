"""How a split tells what it does: an observer that the terminal, or a test, implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from splitjoin_cli.core.model import ChunkState


class Observer(Protocol):
    """Hears what happens. All methods are thread-safe, return at once and never raise."""

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """A phase begins, and the one before it has ended; a total is None where it is not known.

        ``name`` is a verb in its -ing form ("scanning"). Bytes and chunks count from 0 again.
        """

    def advance(self, size: int) -> None:
        """``size`` more bytes of this phase are done."""

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """One more chunk of this phase is done, whatever came of it."""

    def warn(self, message: str) -> None:
        """Something that the user should know, and that does not fail the split."""

    def detail(self, message: str) -> None:
        """Something that only the curious want to know (``-v``)."""


class Silent:
    """Hears nothing: for libraries and tests that do not look."""

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """Do nothing."""

    def advance(self, size: int) -> None:
        """Do nothing."""

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """Do nothing."""

    def warn(self, message: str) -> None:
        """Do nothing."""

    def detail(self, message: str) -> None:
        """Do nothing."""
