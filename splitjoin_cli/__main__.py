"""The command's entry point: ``splitjoin`` and ``python -m splitjoin_cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and exit with its code."""
    from splitjoin_cli.cli.run import run  # noqa: PLC0415 -- whoever imports this module need not want click

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
