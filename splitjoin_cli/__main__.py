"""The command's entry point: ``splitjoin`` and ``python -m splitjoin_cli``."""

from __future__ import annotations

import gc
import sys

from splitjoin_cli.core.gc_pause import uncollected


def main() -> None:
    """Run the command line of this process and exit with its code."""
    with uncollected():
        from splitjoin_cli.cli.run import run  # noqa: PLC0415 -- whoever imports this module need not want click

    code = run(sys.argv[1:])
    if "duckdb" not in sys.modules:  # whose binding looks for itself, and tells what it finds as leaked
        gc.freeze()  # no last look at the exit: the memory goes back as a whole
    sys.exit(code)


if __name__ == "__main__":
    main()
