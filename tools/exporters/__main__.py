"""``python -m tools.exporters``: runs every exporter that is here, and writes the table of docs/exporters.md."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import servers
from tools.exporters.elsewhere import ELSEWHERE
from tools.exporters.loading import DATABASES, Outcome, outcomes, prepared
from tools.exporters.variants import LIVE, Places, spelled
from tools.exporters.versions import versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.exporters.variants import Variant

PAGE = Path("docs/exporters.md")
BEGIN, END = "<!-- made by python -m tools.exporters -->", "<!-- end -->"


def main() -> int:
    """Write the table; 1 where an outcome is not what a variant says of itself."""
    with ExitStack() as stack:
        mariadb = stack.enter_context(servers.mariadb_server())
        postgres = stack.enter_context(servers.postgres_server())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="splitjoin-exporters-")))
        directory.chmod(0o755)
        shared = directory / "shared"
        shared.mkdir()
        shared.chmod(0o777)
        places = Places(mariadb, postgres, shared)
        stack.enter_context(prepared(places))
        rows, wrong = [], []
        for number, variant in enumerate((*LIVE, *ELSEWHERE), start=1):
            found = _tried(variant, directory / "awkward.csv", places, number)
            rows.append(_row(variant, found))
            if found is not None and not _as_said(variant, found):
                wrong.append(f"{variant.name}: { ({name: str(each) for name, each in found.items()}) }")
        said = "; ".join(versions(places))
    table = ["| exporter | options | " + " | ".join(DATABASES) + " | what the exporter loses |"]
    table += ["|---|---|" + "---|" * len(DATABASES) + "---|", *rows]
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n\nVersions: {said}.\n\n" + "\n".join(table) + f"\n\n{END}{tail}", encoding="utf-8")
    for line in wrong:
        print(f"not as said: {line}", file=sys.stderr)
    return 1 if wrong else 0


def _tried(variant: Variant, file: Path, places: Places, number: int) -> dict[str, Outcome] | None:
    """What becomes of it; None where its exporter is not here."""
    file.unlink(missing_ok=True)
    try:
        variant.write(file, places)
    except (FileNotFoundError, subprocess.CalledProcessError) as exc:
        print(f"{variant.name}: left out: {exc}", file=sys.stderr)
        return None
    return outcomes(variant, file, places, number)


def _as_said(variant: Variant, found: dict[str, Outcome]) -> bool:
    if variant.refused:
        return all(outcome.refused for outcome in found.values())
    return found == dict.fromkeys(DATABASES, Outcome(variant.lost_rows))


def _row(variant: Variant, found: dict[str, Outcome] | None) -> str:
    cells: Iterator[str]
    if found is None:
        cells = iter(["not run"] * len(DATABASES))
    elif variant.refused:
        cells = iter(["refused"] * len(DATABASES))
    else:
        cells = (_cell(found[name], variant) for name in DATABASES)
    why = variant.refused or "; ".join(dict.fromkeys(variant.lost.values()))
    options = spelled(variant.options).replace("|", "\\|")
    name = variant.name.replace("|", "\\|")
    return f"| {name} | {f'`{options}`' if options else ''} | {' | '.join(cells)} | {why} |"


def _cell(outcome: Outcome, variant: Variant) -> str:
    """``exact`` where nothing is lost that was in the file."""
    if outcome.refused:
        return "refused"
    left = [str(number) for number in outcome.differs if number not in variant.lost_rows]
    return "exact" if not left else f"rows {', '.join(left)}"


if __name__ == "__main__":
    sys.exit(main())
