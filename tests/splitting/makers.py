"""Every block scanner there is: the one over numpy, and the compiled one at each level that this machine can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import note

from splitjoin_cli.core.native import kernels
from splitjoin_cli.splitting.records.compiled import CompiledScanner
from splitjoin_cli.splitting.records.open import numpy_scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner


class MakeScanner(Protocol):
    """Makes a block scanner."""

    def __call__(self, alphabet: Alphabet, block_bytes: int) -> BlockScanner: ...


def _compiled(kernel: Kernel) -> MakeScanner:
    def make(alphabet: Alphabet, block_bytes: int) -> BlockScanner:
        return CompiledScanner(alphabet, kernel, lambda: numpy_scanner(alphabet, block_bytes))

    return make


SCANNERS: dict[str, MakeScanner] = {"numpy": numpy_scanner} | {kernel.name: _compiled(kernel) for kernel in kernels()}
every_scanner = pytest.mark.parametrize("make", SCANNERS.values(), ids=SCANNERS.keys())


def each_scanner() -> Iterator[MakeScanner]:
    """The same within a law: an example is drawn once for all of them. A failure's last note names the scanner."""
    for name, make in SCANNERS.items():
        note(f"scanner: {name}")
        yield make
