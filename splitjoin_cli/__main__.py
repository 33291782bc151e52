"""The command's entry point: ``splitjoin`` and ``python -m splitjoin_cli``."""

from __future__ import annotations

import gc
import sys

OBJECTS_OF_A_START = 150_000
"""More than a start makes, botocore's models included. All of them stay: to look for garbage among them again and again,
as Python's own threshold of some hundred has it, is a tenth of the time that a start takes."""


def main() -> None:
    """Run the command line of this process and exit with its code."""
    gc.set_threshold(OBJECTS_OF_A_START)
    from splitjoin_cli.cli.run import run  # noqa: PLC0415 -- whoever imports this module need not want click

    code = run(sys.argv[1:])
    gc.freeze()  # and not once more at the exit: the memory goes back as a whole
    sys.exit(code)


if __name__ == "__main__":
    main()
