"""Units that have nothing to do, on a Dask cluster: SCHEDULER_FILE UNITS; prints how many seconds they took."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from splitjoin_cli.core.model import ByteRange, Dialect
from splitjoin_cli.splitting.engines.base import ScanUnit
from splitjoin_cli.splitting.engines.dask import DaskEngine, address_of
from splitjoin_cli.splitting.engines.dispatch import Dispatcher, Work
from splitjoin_cli.splitting.engines.specs import Reach, SourceSpec
from splitjoin_cli.splitting.engines.wire import release
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.stores.sources.local import LocalSource

LINE = b"a,b\n"


def main(scheduler_file: str, units: str) -> None:
    """Scan one line, so many times."""
    engine = DaskEngine(address_of(scheduler_file))
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "line.csv")
        path.write_bytes(LINE)
        opened = LocalSource(str(path))
        opened.close()
        source = SourceSpec(str(path), opened.properties.validator, len(LINE), Reach())
        unit = ScanUnit(
            version=release(), source=source, number=1, range=ByteRange(0, len(LINE)), alphabet=Alphabet.of(Dialect()),
            expected=1, strict=False, letters=b"", encoding=None, header=None,
        )  # fmt: skip
        began = time.monotonic()
        Dispatcher(engine).run(Work(unit, lambda _: None) for _ in range(int(units)))
        print(time.monotonic() - began)
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
