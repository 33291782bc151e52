"""Looks at runs of small chunks in the kernel, which says only which of them are right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.native_rules import native_rules
from splitjoin_cli.splitting.stored.batches import BATCH_BYTES, batches
from splitjoin_cli.stores.sources.small_files import MOST_BYTES, Columns, Looked

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Iterable, Iterator

    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.native.files import Numbered
    from splitjoin_cli.splitting.stored.around import Placed
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = ["QuickLook"]


@dataclass(frozen=True, slots=True)
class QuickLook:
    """The chunks of one manifest, as files of one directory. Thread-safe.

    The last chunk is never small: it may end without a line end. Nor is one that begins where the source does, where a
    byte order mark may be.
    """

    files: SmallFiles
    manifest: Manifest
    numbered: Numbered
    rules: ctypes.Structure | ctypes.Array[ctypes.c_int32]

    @classmethod
    def of(cls, files: SmallFiles, manifest: Manifest) -> QuickLook | None:
        """None where the kernel cannot find the records of these chunks by itself."""
        dialect = manifest.dialect
        if manifest.compression is not None or dialect.skip_repeated_headers or dialect.skip_blank_lines:
            return None
        if dialect.stray_quote == "error":  # as RecordCounter has it
            dialect = replace(dialect, stray_quote="literal")
        numbered = files.names(manifest.file_name, manifest.total_parts, None)
        return cls(files, manifest, numbered, native_rules(Alphabet.of(dialect)))

    def runs(self, numbers: Iterable[int]) -> Iterator[range]:
        """Ascending ``numbers`` as runs; one that is not small is alone."""
        starts, mended = self.manifest.chunks.starts, self.manifest.mended
        header, total = self.manifest.header_bytes, self.manifest.total_parts

        def size_of(number: int) -> int:  # as _is_small, of a million numbers
            size, start = header + starts[number] - starts[number - 1], starts[number - 1]
            return BATCH_BYTES if not start or size > MOST_BYTES or number == total or number in mended else size

        return batches(numbers, size_of)

    def look(self, run: range, header: bytes, source: Placed | None) -> Looked:
        """Which chunks of a run are right: those that are not small are not. ``header``: what they begin with."""
        table = self.manifest.chunks
        nothing = Looked(bytearray(len(run)), 0, 0)
        if len(header) != self.manifest.header_bytes or not self._is_small(run.start):
            return nothing
        begin, end = table.starts[run.start - 1], table.starts[run.stop - 1]
        beside: tuple[memoryview, int] | None = None
        if source is not None:
            buffer = memoryview(bytearray(end - begin))
            if source.read_at(begin, buffer) < len(buffer):
                return nothing
            beside = buffer, begin
        columns = Columns(header, table.starts, self.manifest.stored_bytes, table.rows, table.checksums)
        return self.files.look(self.numbered, columns, self.rules, run, beside)

    def _is_small(self, number: int) -> bool:
        manifest, starts = self.manifest, self.manifest.chunks.starts
        ends_or_begins = number == manifest.total_parts or not starts[number - 1]
        size = manifest.header_bytes + starts[number] - starts[number - 1]
        return not ends_or_begins and number not in manifest.mended and size <= MOST_BYTES
