"""The check of exact counting: every chunk delivered twice, in any order, to many threads at once."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 32


@dataclass(frozen=True, slots=True)
class Said:
    """What one delivery was told."""

    kind: Literal["counted", "duplicate"]
    completed: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """What all deliveries together were told. ``completions``: how many of them made the job complete."""

    counted: int
    duplicates: int
    completions: int


def deliver_twice(mark: Callable[[int], Said], total_parts: int, *, threads: int = THREADS, seed: int = 0) -> Tally:
    """Deliver each chunk twice, shuffled, to ``threads`` threads."""
    deliveries = [number for number in range(1, total_parts + 1) for _ in range(2)]
    random.Random(seed).shuffle(deliveries)
    with ThreadPoolExecutor(threads) as executor:
        answers = list(executor.map(mark, deliveries))
    kinds = Counter(answer.kind for answer in answers)
    return Tally(kinds["counted"], kinds["duplicate"], sum(answer.completed for answer in answers))
