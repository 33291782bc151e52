"""How often ``inspect`` and its peers say what a file is: ``python -m benchmarks.inspecting --help``.

The files are made (benchmarks/exports.py) by seeds, so that what they are is known; others, with their truth in a JSON
file beside them, can be given instead. The peers run in an environment of their own, which the script makes: CleverCSV,
DuckDB's ``sniff_csv``, the csv module's Sniffer, and for encodings chardet and charset-normalizer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import venv
from collections import Counter, defaultdict
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.exports import Export, Truth, make
from splitjoin_cli.api.inspect import inspect_source
from splitjoin_cli.stores.sources.memory import MemorySource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARES = ("delimiter", "quote", "header", "escape", "encoding", "lines before")
PACKAGES = ("clevercsv", "duckdb", "chardet", "charset-normalizer")
PEER = Path(__file__).with_name("peer_dialects.py")
HARD = ("preamble", "backslash", "odd", "headerless")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says of a file; None is unknown. ``options`` and what follows: of ours alone."""

    delimiter: str | None = None
    quotechar: str | None = None
    escapechar: str | None = None
    header: bool | None = None
    skip_lines: int | None = None
    encoding: str | None = None
    options: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    fields: Mapping[int, int] = ()  # type: ignore[assignment]  # none
    records: int | None = None
    repeated: int = 0


def ours(data: bytes) -> Answer:
    """What ``inspect`` says."""
    found = inspect_source(MemorySource(data, "export.csv"), data[: 64 * 1024], "export.csv")
    again = sum(int(one.message.split()[3]) for one in found.problems if one.message.startswith("the header again, "))
    return Answer(
        found.delimiter, found.quotechar, found.escapechar, found.header, found.skip_lines, found.encoding,
        found.options, found.columns, found.fields, found.records, again,
    )  # fmt: skip


def judge(export: Export, answer: Answer) -> dict[str, bool]:
    """Which of the six are right, and whether all are.

    Without a quote in the file, any answer is right for it; a doubled quote is no escape character. Encodings are right
    that decode the file to the same text.
    """
    truth, text = export.truth, export.data.decode(export.truth.encoding)
    quoted = '"' in text or "'" in text
    escape = None if answer.escapechar in ("", '"', "'") else answer.escapechar
    right = {
        "delimiter": answer.delimiter == truth.delimiter,
        "quote": not quoted or (answer.quotechar or None) == truth.quotechar,
        "header": answer.header == truth.header,
        "escape": escape == truth.escapechar,
        "encoding": _decoded(export.data, answer.encoding) == text.removeprefix("\ufeff"),
        "lines before": answer.skip_lines == truth.skip_lines,
    }
    right["all six"] = all(right.values())
    return right


def _decoded(data: bytes, encoding: str | None) -> str | None:
    try:
        return None if encoding is None else data.decode(encoding).removeprefix("\ufeff")
    except (UnicodeError, LookupError):
        return None


def peers(python: Path, exports: Sequence[Export], directory: Path) -> dict[str, list[Answer]]:
    """What each peer says of each file, in the files' order."""
    names = []
    for one in exports:
        path = directory / one.name.replace("/", "_")
        path.write_bytes(one.data)
        names.append([str(path), one.truth.encoding])
    ran = subprocess.run([python, PEER], input=json.dumps(names), capture_output=True, text=True, check=True)
    said: dict[str, list[dict[str, Any]]] = json.loads(ran.stdout)
    return {tool: [Answer(**one) for one in answers] for tool, answers in said.items()}


def environment(directory: Path) -> Path:
    """A Python with the peers."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True, stdout=subprocess.DEVNULL)
    return python


def read_corpus(truths: Path) -> list[Export]:
    """Files beside ``truths``, a JSON object of their names and what they are."""
    found: dict[str, dict[str, Any]] = json.loads(truths.read_text())
    return [
        Export(str(one.pop("kind", "file")), name, (truths.parent / name).read_bytes(), Truth(**one))
        for name, one in found.items()
    ]


def table(exports: Sequence[Export], said: Mapping[str, Sequence[Answer]]) -> str:
    """The shares of each tool, in percent, and of the hard kinds how many have all that is asked of them."""
    lines = [
        f"| {len(exports)} files | {' | '.join((*SHARES, 'all six', *HARD))} |",
        "|---" * (2 + len(SHARES) + len(HARD)) + "|",
    ]
    for tool, answers in said.items():
        right: Counter[str] = Counter()
        hard: defaultdict[str, list[bool]] = defaultdict(list)
        for one, answer in zip(exports, answers, strict=True):
            judged = judge(one, answer)
            right.update(share for share, ok in judged.items() if ok)
            what = {"preamble": "lines before", "backslash": "escape", "odd": "delimiter", "headerless": "header"}
            if one.kind in what:
                hard[one.kind].append(judged[what[one.kind]])
        shares = [f"{100 * right[share] / len(exports):.1f}" for share in (*SHARES, "all six")]
        lines.append(f"| {tool} | {' | '.join([*shares, *(f'{sum(hard[k])} of {len(hard[k])}' for k in HARD)])} |")
    return "\n".join(lines)


def wrong(exports: Sequence[Export], answers: Sequence[Answer]) -> list[str]:
    """Our answers that are wrong on clear files, unknown ones left out."""
    found = []
    for one, answer in zip(exports, answers, strict=True):
        judged = judge(one, answer)
        known = answer.delimiter is not None and answer.header is not None
        if one.truth.clear and known and not judged["all six"]:
            found.append(
                f"{one.name}: {', '.join(share for share, ok in judged.items() if not ok and share != 'all six')}"
            )
    return found


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser("python -m benchmarks.inspecting", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="of the made files, repeatable (11)")
    parser.add_argument(
        "--corpus", type=Path, help="a JSON file of names and truths, beside the files, instead of made ones"
    )
    parser.add_argument(
        "--peers", type=Path, metavar="PYTHON", help="one that has the peers (default: an environment is made)"
    )
    parser.add_argument("--alone", action="store_true", help="without the peers")
    asked = parser.parse_args()
    exports = read_corpus(asked.corpus) if asked.corpus else [one for seed in asked.seed or [11] for one in make(seed)]
    begun = time.perf_counter()
    said: dict[str, Sequence[Answer]] = {f"splitjoin {version('splitjoin')}": [ours(one.data) for one in exports]}
    seconds = time.perf_counter() - begun
    if not asked.alone:
        with tempfile.TemporaryDirectory() as directory:
            python = asked.peers or environment(Path(directory) / "venv")
            said |= peers(python, exports, Path(directory))
    print(table(exports, said))
    mistakes = wrong(exports, next(iter(said.values())))
    print(f"\n{seconds / len(exports):.3f} s a file; wrong on {len(mistakes)} clear files", *mistakes, sep="\n- ")


if __name__ == "__main__":
    main()
