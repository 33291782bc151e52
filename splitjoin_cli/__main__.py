"""The command's entry point: ``splitjoin`` and ``python -m splitjoin_cli``."""

from __future__ import annotations

import gc
import signal
import sys


def main() -> None:
    """Run the command line of this process and exit with its code."""
    # Nothing hears a signal before ``run`` does: it waits until then, or it would show where the imports were.
    heard_before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    from splitjoin_cli.core.gc_pause import uncollected  # noqa: PLC0415 -- after the line above

    with uncollected():
        from splitjoin_cli.cli.run import run  # noqa: PLC0415 -- whoever imports this module need not want click

    code = run(sys.argv[1:], mask=heard_before)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # all is said: the exit may be cut short silently
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "duckdb" not in sys.modules:  # whose binding looks for itself, and tells what it finds as leaked
        gc.freeze()  # no last look at the exit: the memory goes back as a whole
    sys.exit(code)


if __name__ == "__main__":
    main()
