"""Chooses the block scanner: the compiled one where the package was built with it, else the one over numpy.

Both find the same; the compiled one is some four times as fast and needs no numpy, which takes long to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.gc_pause import uncollected
from splitjoin_cli.core.native import kernel
from splitjoin_cli.core.switches import SCANNER, switched
from splitjoin_cli.splitting.records import numerics

if TYPE_CHECKING:
    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner

MIB = 1024 * 1024


def own_kernel() -> Kernel | None:
    """The kernel, unless it is switched off."""
    return None if switched(SCANNER) else kernel()


def new_scanner(alphabet: Alphabet, block_bytes: int) -> BlockScanner:
    """A scanner for blocks of up to ``block_bytes`` bytes."""
    compiled = own_kernel()
    if alphabet.needs_table:
        return table_scanner(alphabet, compiled)
    if compiled is not None:
        from splitjoin_cli.splitting.records.compiled import CompiledScanner  # noqa: PLC0415 -- only what is used is imported

        return CompiledScanner(alphabet, compiled, lambda: numpy_scanner(alphabet, block_bytes))
    return numpy_scanner(alphabet, block_bytes)


def numpy_scanner(alphabet: Alphabet, block_bytes: int) -> BlockScanner:
    """The scanner over numpy."""
    with uncollected():
        numerics.load()
        from splitjoin_cli.splitting.records.numpy_scanner import NumpyScanner  # noqa: PLC0415 -- takes long to import

    return NumpyScanner(alphabet, block_bytes)


def table_scanner(alphabet: Alphabet, compiled: Kernel | None) -> BlockScanner:
    """The scanner by a table of steps, for any alphabet: in ``compiled``, or in plain Python."""
    from splitjoin_cli.splitting.records.table import table_of  # noqa: PLC0415 -- only what is used is imported
    from splitjoin_cli.splitting.records.tabled import TableScanner, TableWalk  # noqa: PLC0415 -- the same

    table = table_of(alphabet)
    if compiled is not None:
        from splitjoin_cli.splitting.records.table_compiled import CompiledTableWalk  # noqa: PLC0415 -- the same

        walk: TableWalk = CompiledTableWalk(table, compiled)
    else:
        from splitjoin_cli.splitting.records.table_python import PythonTableWalk  # noqa: PLC0415 -- the same

        walk = PythonTableWalk(table)
    return TableScanner(table, walk)


def scans_side_by_side() -> bool:
    """Whether threads may scan at the same time; over numpy they take the GIL from each other at each step."""
    return own_kernel() is not None


def scanner_name() -> str:
    """What ``new_scanner`` makes, for people."""
    compiled = own_kernel()
    if compiled is not None:
        return f"the compiled kernel ({compiled.name})"
    return "numpy (by SPLITJOIN_SCANNER)" if switched(SCANNER) else "numpy (nothing is compiled here)"


def best_block_bytes(read_bytes: int = 0) -> int:
    """What to read and scan at once, from a source where less than ``read_bytes`` is not worth a read.

    Compiled: what stays in a core's cache until it is written. Over numpy: enough that threads seldom wait
    for the GIL; smaller blocks lose more than the cache gives (with 512 KiB, two threads were no faster than one).
    """
    return max(MIB if own_kernel() is not None else 4 * MIB, read_bytes)
