"""What the kernel takes to find the records of whole files by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

    from splitjoin_cli.splitting.records.base import Alphabet

__all__ = ["native_rules"]


def native_rules(alphabet: Alphabet) -> ctypes.Structure | ctypes.Array[ctypes.c_int32]:
    """A table where the alphabet needs one, else what its bytes mean."""
    if alphabet.needs_table:
        from splitjoin_cli.splitting.records.table import table_of  # noqa: PLC0415 -- only what is used is imported
        from splitjoin_cli.splitting.records.table_compiled import native_table  # noqa: PLC0415 -- the same

        return native_table(table_of(alphabet))
    from splitjoin_cli.splitting.records.compiled import native_dialect  # noqa: PLC0415 -- the same

    return native_dialect(alphabet)
