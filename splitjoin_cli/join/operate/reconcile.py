"""Compares what a tracker has counted with what a database's ledger says is loaded, chunk by chunk. Read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.names import parse
from splitjoin_cli.core.ranges import as_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from splitjoin_cli.core.ranges import NumberRanges
    from splitjoin_cli.stores.loaders.base import Ledger
    from splitjoin_cli.stores.trackers.jobs import JobProgress

__all__ = ["OtherRun", "Reconciliation", "RowsDiffer", "reconcile"]

Numbers = Sequence[int]


@dataclass(frozen=True, slots=True)
class RowsDiffer:
    """A chunk of which other than the planned rows are loaded."""

    number: int
    loaded: int
    expected: int


@dataclass(frozen=True, slots=True)
class OtherRun:
    """What the ledger holds of another run of the job than the tracker's."""

    run_id: str
    chunks: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What tracker and ledger say of one job. All numbers ascend.

    ``loaded_parts``, ``rows_loaded``: of the tracker's run, in the ledger. ``counted_not_loaded``: never happens
    without a hand in it: a database restored from a backup, ledger rows deleted. ``loaded_not_counted``: a worker is
    between the two, or died there; the next delivery counts them. Both None where the tracker cannot tell which chunks
    are counted. ``lacking``: how many counted chunks the ledger lacks, known in that case too.
    ``loaded_by_other_run``: chunks that this run has not loaded and another has. ``rows_differ``: where the plan or
    the manifest was at hand. ``sums_differ``: the same chunks, and other rows than the tracker was told.
    ``not_in_history``, ``only_in_history``: against ``mysql.aurora_s3_load_history``; None on other databases, and
    where it cannot be read.
    """

    ledger: Ledger
    loaded_parts: int
    rows_loaded: int
    counted_not_loaded: Numbers | None
    loaded_not_counted: Numbers | None
    lacking: int
    loaded_by_other_run: Numbers
    other_runs: tuple[OtherRun, ...]
    rows_differ: tuple[RowsDiffer, ...]
    sums_differ: bool
    not_in_history: Numbers | None
    only_in_history: Numbers | None

    @property
    def broken(self) -> bool:
        """Whether something is wrong that no delivery to come mends by itself: for ``--check`` a failure."""
        return bool(self.lacking or self.rows_differ or self.sums_differ)

    @property
    def agrees(self) -> bool | None:
        """Whether both say the same of every chunk; None where that cannot be known."""
        if self.broken or self.loaded_not_counted or self.not_in_history or self.only_in_history:
            return False
        return None if self.counted_not_loaded is None else True

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        job = self.ledger.job
        return {
            "database": self.ledger.uri,
            "ledger": self.ledger.found,
            "table": None if job is None else job.table,
            "run_id": None if job is None else job.run_id,
            "agrees": self.agrees,
            "loaded_parts": self.loaded_parts,
            "rows_loaded": self.rows_loaded,
            "counted_not_loaded": _listed(self.counted_not_loaded),
            "loaded_not_counted": _listed(self.loaded_not_counted),
            "loaded_by_other_run": list(self.loaded_by_other_run),
            "other_runs": [{"run_id": run.run_id, "chunks": run.chunks, "rows": run.rows} for run in self.other_runs],
            "rows_differ": [
                {"number": one.number, "loaded": one.loaded, "expected": one.expected} for one in self.rows_differ
            ],
            "not_in_history": _listed(self.not_in_history),
            "only_in_history": _listed(self.only_in_history),
        }


def reconcile(progress: JobProgress, ledger: Ledger, planned: Mapping[int, int | None] | None = None) -> Reconciliation:
    """Compare; ``progress`` MUST be read before ``ledger``.

    A chunk is loaded first and counted then: what was counted at an earlier moment is loaded at a later one, or
    something is wrong. ``planned``: rows of each chunk as this run's plan or manifest has them.
    """
    loaded = {} if progress.run_id is None else ledger.runs.get(progress.run_id, {})
    others = {run_id: chunks for run_id, chunks in ledger.runs.items() if run_id != progress.run_id}
    counted = _counted(progress)
    not_loaded = None if counted is None else counted.less(sorted(loaded))
    not_counted = None if counted is None else _sorted(number for number in loaded if number not in counted)
    rows = sum(loaded.values())
    history = _history_numbers(progress, ledger)
    return Reconciliation(
        ledger=ledger,
        loaded_parts=len(loaded),
        rows_loaded=rows,
        counted_not_loaded=not_loaded,
        loaded_not_counted=not_counted,
        lacking=_lacking(progress, len(loaded)) if not_loaded is None else len(not_loaded),
        loaded_by_other_run=_sorted({number for chunks in others.values() for number in chunks} - loaded.keys()),
        other_runs=tuple(OtherRun(run_id, len(chunks), sum(chunks.values())) for run_id, chunks in others.items()),
        rows_differ=tuple(_rows_differ(loaded, planned or {})),
        sums_differ=not (not_loaded or not_counted) and not_loaded is not None and progress.rows not in {None, rows},
        not_in_history=None if history is None else _sorted(loaded.keys() - history),
        only_in_history=None if history is None else _sorted(history - loaded.keys()),
    )


def _counted(progress: JobProgress) -> NumberRanges | None:
    """The numbers that the tracker has; None where some were counted without."""
    if progress.run_id is None or progress.missing is None:
        return None
    return as_ranges(progress.missing).complement(progress.total_parts)


def _lacking(progress: JobProgress, loaded: int) -> int:
    """How many chunks of ours the ledger lacks at least; the published counter's have no row there."""
    return 0 if progress.run_id is None else max(0, progress.processed_parts - progress.unnumbered - loaded)


def _history_numbers(progress: JobProgress, ledger: Ledger) -> set[int] | None:
    """The chunks of this job, and of this total, that the database says it has loaded."""
    if ledger.history is None:
        return None
    names = (parse(text) for text in ledger.history)
    wanted = (progress.file_name, progress.total_parts)
    return {name.number for name in names if name is not None and (name.file_name, name.total) == wanted}


def _rows_differ(loaded: Mapping[int, int], planned: Mapping[int, int | None]) -> Iterable[RowsDiffer]:
    for number, rows in loaded.items():
        expected = planned.get(number)
        if expected not in {None, rows}:
            yield RowsDiffer(number, rows, expected or 0)


def _sorted(numbers: Iterable[int]) -> Numbers:
    return tuple(sorted(numbers))


def _listed(numbers: Numbers | None) -> list[int] | None:
    return None if numbers is None else list(numbers)
