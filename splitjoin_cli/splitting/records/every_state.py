"""All outcomes of one block, one start state after another: for scanners whose one pass does not give them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.splitting.records.outcome import ALL_STATES, PLAIN_STATES, BlockIndex

if TYPE_CHECKING:
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner


def every_outcome(scanner: BlockScanner, alphabet: Alphabet, block: memoryview) -> BlockIndex:
    """The block's outcomes for all states that ``alphabet`` has; the others are None, and no block ends in them."""
    states = PLAIN_STATES if alphabet.escape is None else ALL_STATES
    known = {state: scanner.outcome(block, state) for state in states}
    return BlockIndex(len(block), tuple(known.get(state) for state in ALL_STATES))
