"""Every block scanner there is: the one over numpy, and the compiled one at each level that this machine can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from splitjoin_cli.core.native import kernels
from splitjoin_cli.splitting.records.compiled import CompiledScanner
from splitjoin_cli.splitting.records.open import numpy_scanner

if TYPE_CHECKING:
    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner


class MakeScanner(Protocol):
    """Makes a block scanner."""

    def __call__(self, alphabet: Alphabet, block_bytes: int) -> BlockScanner: ...


def _compiled(kernel: Kernel) -> MakeScanner:
    def make(alphabet: Alphabet, block_bytes: int) -> BlockScanner:
        return CompiledScanner(alphabet, kernel, lambda: numpy_scanner(alphabet, block_bytes))

    return make


every_scanner = pytest.mark.parametrize(
    "make",
    [
        pytest.param(numpy_scanner, id="numpy"),
        *(pytest.param(_compiled(kernel), id=kernel.name) for kernel in kernels()),
    ],
)
