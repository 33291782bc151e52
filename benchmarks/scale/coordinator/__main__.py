"""One split by the coordinator in this process: ``python -m benchmarks.scale.coordinator CHUNKS TROUBLE``; prints JSON.

CHUNKS are of 128 MiB; TROUBLE: how many units of a thousand fail, and as many are lost with their worker, a tenth of
them in silence.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import TYPE_CHECKING

from benchmarks.scale.coordinator.cluster import Shape
from benchmarks.scale.coordinator.run import split

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str]) -> None:
    """Split, and say what it took."""
    trouble = float(words[1])
    found = split(int(words[0]), Shape(fail=trouble, lost=0.9 * trouble, silence=0.1 * trouble))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**found.to_json(), "peak_bytes": peak}))


if __name__ == "__main__":
    main(sys.argv[1:])
