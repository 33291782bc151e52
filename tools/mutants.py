"""Removes each condition of the join, and of exact values, in turn, and shows the test that notices.

    python -m tools.mutants [PART_OF_A_NAME]    # all mutants, or those whose names hold it; exit 1 where one survives

Each mutant is a copy of the package and its tests in a temporary directory with one condition less. Tests run there
until the first one fails. A mutant that no test fails for is a hole in the tests, or a condition without use.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.conditions import Mutant, mutants_of, rewritten, statement_mutants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 2
LIMIT_SECONDS = 600
PRELOADED = (
    "hypothesis",
    "boto3",
    "botocore.session",
    "click",
    "rich.console",
    "numpy",
    "pymysql",
    "psycopg",
    "awscrt",
)
PYTEST = (
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "--hypothesis-seed=0",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)
COPIED = ("splitjoin_cli", "tests", "tools", "examples", "benchmarks", "docs")
LINKED = (".cache", "README.md", "Makefile", "pyproject.toml")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)

CONTRACT = "tests/contracts/test_trackers.py"
STORES = "tests/stores/trackers"
RULES = f"{STORES}/test_rules.py {STORES}/test_repairs.py {STORES}/test_memory.py"
MEMORY = (f"{RULES} {CONTRACT} -k (memory)or(rules)or(test_repairs)",)
SQLITE = (f"{CONTRACT} -k sqlite", f"{STORES}/test_sqlite.py")
DYNAMODB = (
    f"{CONTRACT} -k dynalite",
    f"{STORES}/test_dynamodb.py {STORES}/test_dynamodb_faults.py {STORES}/test_dynamodb_races.py",
    f"{STORES}/test_dynamodb_sweep.py {STORES}/test_published_counter.py {STORES}/test_reads.py",
)
JOIN = (
    "tests/join/test_worker.py tests/join/test_sweep.py tests/join/test_lease.py tests/join/test_machine.py",
    "tests/join/test_hazards.py tests/join/test_explore.py",
)

EQUALITY = ("tests/stores/loaders/test_exact_equality.py",)


def _words(text: str) -> list[str]:
    return text.split()


@dataclass(frozen=True, slots=True)
class Target:
    """A module with decisions of the join.

    ``tests``: what pytest is given, one run after the other, until one fails. ``decides``: the functions with the
    conditions that are removed. ``left_out``: all others that have conditions, each with what it decides instead.
    ``texts``: what no function of the module shows: a name, the text and what stands in its place.
    """

    module: str
    tests: tuple[str, ...]
    decides: frozenset[str]
    left_out: dict[str, str]
    texts: tuple[tuple[str, str, str], ...] = ()
    expressions: bool = False

    @property
    def path(self) -> str:
        """Relative to the repository."""
        return f"{self.module.replace('.', '/')}.py"

    def mutants(self) -> list[Mutant]:
        """All that tests have to notice. Raises LookupError where the module has functions that nobody listed."""
        source = (ROOT / self.path).read_text()
        found = mutants_of(source, importlib.import_module(self.module) if self.expressions else None)
        if not self.expressions:
            found += statement_mutants(source)
        with_conditions = {mutant.function for mutant in found}
        listed = self.decides | self.left_out.keys()
        if listed != with_conditions or self.decides & self.left_out.keys():
            wrong = ", ".join(sorted(listed ^ with_conditions))
            raise LookupError(f"{self.path}: not listed, or listed and not there: {wrong}")
        kept = [mutant for mutant in found if mutant.function in self.decides]
        return kept + [Mutant(name, name, rewritten(source, old, new)) for name, old, new in self.texts]


TRACKERS = "splitjoin_cli.stores.trackers"
TARGETS = (
    Target(
        f"{TRACKERS}.rules",
        (*MEMORY, *JOIN, *DYNAMODB),
        frozenset(
            _words(
                "check_number known superseded same check_total check_round opened replaced claimed _refusal owns "
                "given_up failed finished reopened"
            )
        ),
        {
            "no_such_job": "words of an error",
            "of_round": "a value of its arguments",
            "claim_of": "raises for an item that somebody wrote by hand",
            "report": "what status shows",
            "_missing": "what status shows",
            "_latest": "what status shows",
        },
    ),
    Target(
        f"{TRACKERS}.repairs",
        (*MEMORY, *SQLITE, *DYNAMODB),
        frozenset(_words("check_expected expecting clearing clears is_cleared")),
        {"clear_claim": "raises for an item that somebody wrote by hand"},
    ),
    Target(
        f"{TRACKERS}.jobs",
        (*MEMORY, *JOIN),
        frozenset({"Join.held", "Join.alive", "Job.complete"}),
        {
            "Run.__post_init__": "refuses what is no run",
            "JobSpec.__post_init__": "refuses what is no job",
            "Job.run": "a value of its fields",
            "JobProgress.run": "a value of its fields",
        },
    ),
    Target(
        f"{TRACKERS}.answers",
        (*MEMORY, *JOIN),
        frozenset({"Answer.complete"}),
        {},
    ),
    Target(
        f"{TRACKERS}.memory",
        (*MEMORY, *JOIN),
        frozenset(
            f"MemoryTracker.{name}"
            for name in _words(
                "mark_done _mark_in_head _mark _full _count_shard mark_retried renew_join _give_up "
                "finish_join expect all_expected finish_clear count_full_shards unfinished _unfinished"
            )
        ),
        {
            "MemoryTracker.__init__": "a table given or made",
            "MemoryTracker.mark_failed": "how often a chunk failed",
            "MemoryTracker._report": "what status shows",
        },
    ),
    Target(
        f"{TRACKERS}.sqlite",
        (*SQLITE, f"{STORES}/test_machine.py -k Sqlite", "tests/join/test_machine.py -k sqlite"),
        frozenset(
            {
                *(
                    f"SqliteTracker.{name}"
                    for name in _words(
                        "replace_job mark_done mark_failed renew_join _give_up finish_join expect all_expected "
                        "finish_clear"
                    )
                ),
                "SENT_AGAIN",
            }
        ),
        {
            f"SqliteTracker.{name}": "the file and the connection"
            for name in _words("reach job progress list unfinished close _reading _connected _check _make")
        },
        texts=(
            ("mark_done: INSERT OR IGNORE -> OR REPLACE", "INSERT OR IGNORE INTO", "INSERT OR REPLACE INTO"),
            (
                "_writing: BEGIN IMMEDIATE -> BEGIN",
                'transaction(db, "BEGIN IMMEDIATE"):\n            yield',
                'transaction(db, "BEGIN"):\n            yield',
            ),
            ("FAILED: attempts + 1 -> attempts", "attempts = attempts + 1", "attempts = attempts"),
        ),
    ),
    Target(
        f"{TRACKERS}.sqlite_rows",
        (*SQLITE, f"{STORES}/test_machine.py -k Sqlite", "tests/join/test_machine.py -k sqlite"),
        frozenset(
            _words("all_jobs load_job round_of expected_of report_of unfinished_jobs UNFINISHED FAILED_FOR_GOOD")
        ),
        {},
    ),
    Target(
        f"{TRACKERS}.dynamodb_reports",
        DYNAMODB,
        frozenset(f"Reports.{name}" for name in _words("unfinished _unfinished _lags _final_failures")),
        {
            "_is_tidied": "what status shows",
            **{
                f"Reports.{name}": "what status shows"
                for name in _words("_heads _keys _numbers _report _shards_of _unnumbered all_jobs progress shard_count")
            },
        },
    ),
    Target(
        f"{TRACKERS}.dynamodb",
        (*DYNAMODB, f"{STORES}/test_machine.py -k dynalite"),
        frozenset(
            f"DynamoDbTracker.{name}"
            for name in _words(
                "open_job replace_job mark_done _count _count_in_shard claim_join renew_join _give_up "
                "_change_owned _change finish_join reopen_join expect all_expected _is_in_round "
                "claim_clear finish_clear _count_all _complete_mixed"
            )
        ),
        {"DynamoDbTracker.__init__": "a client given or made", "DynamoDbTracker.close": "a client given or made"},
    ),
    Target(
        f"{TRACKERS}.dynamodb_updates",
        (*DYNAMODB, f"{STORES}/test_machine.py -k dynalite"),
        frozenset(
            _words(
                "open_job replace_job count count_in_shard expect expect_in_shard duplicate retried make_complete "
                "expire"
            )
        ),
        {},
        expressions=True,
    ),
    Target(
        f"{TRACKERS}.dynamodb_join_updates",
        (*DYNAMODB, f"{STORES}/test_machine.py -k dynalite"),
        frozenset(_words("claim_join change_join leave_unfinished claim_clear finish_clear")),
        {},
        expressions=True,
    ),
    Target(
        "splitjoin_cli.join.joiner",
        JOIN,
        frozenset(
            {
                "JoinTry.settled",
                *(f"Joiner.{name}" for name in _words("try_join _payload _lacking _refuse _is_replaced _finish")),
            }
        ),
        {"Joiner._failed": "whose words the error is in"},
    ),
    Target(
        "splitjoin_cli.join.sweep",
        JOIN,
        frozenset(_words("sweep _look _wants_join _settle _is_ours _is_stuck _failed")),
        {"_why": "what the log says"},
    ),
    Target(
        "splitjoin_cli.join.worker",
        JOIN,
        frozenset(
            f"ChunkWorker.{name}"
            for name in _words(
                "handle_batch _handle_stored _load_and_count _standing _ledger_says_joined _join _unread _failed"
            )
        )
        | {"_superseded", "acknowledged"},
        {
            "ChunkWorker._handle": "which store's reads",
            "ChunkWorker._ours": "whose words the error is in",
            "ChunkWorker._tell": "what the log says",
            "_extra": "what the log says",
            "_refused": "words of an error",
        },
    ),
    *(
        Target(f"splitjoin_cli.stores.loaders.exact.{module}", EQUALITY, frozenset(_words(functions)), {})
        for module, functions in (
            ("equality", "alike"),
            ("amounts", "amounts"),
            ("numbers", "number numbers_alike shortest_single _said"),
            (
                "moments",
                (
                    "Moment.ordinal_seconds parse_moment _seconds _offset dates_alike datetimes_alike instants_alike"
                    " _left_is_kept times_alike _clocks _same_parts _same_moment _same_fraction"
                ),
            ),
            ("spans", "span_seconds _iso _verbose spans_alike"),
            (
                "words",
                (
                    "padded_alike members_alike cased_members_alike cased_sets_alike _each_once booleans_alike truth"
                    " hexadecimal_alike hexadecimal bits_alike bits blobs_alike"
                    " addresses_alike address bytes_alike bytes_of"
                    " lists_alike elements _element"
                ),
            ),
        )
    ),
)

ABSENT_DIFFERS = "an attribute that is absent is not equal to anything: <> holds by itself, on every server"
OWNS_NONE = "job is None or not rules.owns(job, claim) less job is None"
RUN_IS_NONE = "what is listed as unfinished has a run; the type checker asks for it"
LAGS = (
    "run is not None and shards > 1 and any((_key(run, index) not in self.table.counted"
    " and self._full(run, index, job.total_parts) for index in range(shards)))"
)
SPARES_A_COUNT = "it only spares a step: _count_shard looks again"
UNNOTICED: dict[str, str] = {
    **{
        f"{place}: {OWNS_NONE}": "owns says the same of None; the type checker asks for it"
        for place in (
            "memory.MemoryTracker.renew_join",
            "memory.MemoryTracker._give_up",
            "sqlite.SqliteTracker.renew_join",
            "sqlite.SqliteTracker._give_up",
            "dynamodb.DynamoDbTracker._change_owned",
        )
    },
    "memory.MemoryTracker.finish_clear: job is not None and repairs.clears(job, claim) less job is not None": "clears"
    " says the same of None; the type checker asks for it",
    "memory.MemoryTracker._count_shard: key in self.table.counted and head is not None less head is not None": "a shard"
    " was counted into a head, which stays; the type checker asks for it",
    "memory.MemoryTracker.count_full_shards: lacking and full less lacking": SPARES_A_COUNT,
    "memory.MemoryTracker.count_full_shards: _key(run, index) not in self.table.counted -> True": SPARES_A_COUNT,
    "dynamodb.DynamoDbTracker.replace_job: answer.written and answer.item is not None less answer.item is not None": ""
    "a write that was made tells its item; the type checker asks for it",
    "dynamodb.DynamoDbTracker._count: into == 'done' -> True": "of a job in shards, they have what is expected, and the"
    " head has nothing",
    "dynamodb.DynamoDbTracker.claim_join: answer.written -> False": "its own claim is known again by its token",
    "memory.MemoryTracker.unfinished: job.run is not None and job.join.state != JoinState.JOINED"
    " less job.run is not None": RUN_IS_NONE,
    f"memory.MemoryTracker._unfinished: {LAGS} less run is not None": RUN_IS_NONE,
    f"memory.MemoryTracker._unfinished: {LAGS} less shards > 1": "a job whose chunks are in its own item has no shard",
    "dynamodb_reports.Reports._unfinished: job.run is None -> False": RUN_IS_NONE,
    **{
        f"dynamodb_reports.Reports._unfinished: job.run and job.join.state != JoinState.JOINED less {less}": "it only"
        " spares the read of shards"
        for less in ("job.run", "job.join.state != JoinState.JOINED")
    },
    "dynamodb_reports.Reports._lags: self.shard_count(job.total_parts) == 0 -> False": "a job whose chunks are in its"
    " own item has no shards, and says that it is complete when all are counted",
    "dynamodb_reports.Reports._final_failures: failure.final and items.job_name(whose) in names"
    " less items.job_name(whose) in names": "it only spares memory: failures are looked up by their job",
    "sqlite_rows.FAILED_FOR_GOOD: WHERE less file_name > ?": "it only spares rows: failures are looked up by their job",
    "sqlite_rows.report_of: not job.complete -> True": "it only spares a look: a complete job's chunks are all counted",
    "sqlite.SqliteTracker.finish_clear: job is None or not repairs.clears(job, claim) less job is None": "clears says"
    " the same of None; the type checker asks for it",
    "sqlite.SqliteTracker.all_expected: WHERE less generation = ?": "replace_job has deleted what an older run had",
    "sqlite_rows.report_of: WHERE less generation = ? [2]": "replace_job has deleted the older generation's counts",
    "sqlite_rows.round_of: WHERE less generation = ?": "replace_job has deleted the older generation's rounds",
    "dynamodb.DynamoDbTracker._complete_mixed: job.complete or not enough or job.join.state == JoinState.JOINED"
    " less job.join.state == JoinState.JOINED": "it only spares a write, which is made on condition of it",
    "joiner.Joiner._payload: held.chunks < claim.total_parts and (reason := self._lacking(claim, held))"
    " less held.chunks < claim.total_parts": "it only spares a look: _lacking compares again",
    "joiner.Joiner._refuse: not written and self._is_replaced(claim) less not written": "it only spares a look: what"
    " was written down is of the job's own run",
    "joiner.Joiner._is_replaced: job is not None and job.generation > claim.run.generation less job is not None": ""
    "nothing takes a job's item away; the type checker asks for it",
    "worker.ChunkWorker._standing: job is None and self._ledger_says_joined(run)"
    " less job is None": "it only spares a look into the database: the job is read again then, and is what decides",
    "rules.claimed: join.token == token and join.alive(now) less join.token == token": "a live claim of another token"
    " was refused as held before",
    "dynamodb_updates.open_job: condition attribute_not_exists(join_state) OR join_state <> :joined"
    " less attribute_not_exists(join_state)": ABSENT_DIFFERS,
    "dynamodb_join_updates.claim_join: condition attribute_not_exists(join_state) OR (join_state <> :joined AND"
    " join_state <> :failed AND join_state <> :clearing) less attribute_not_exists(join_state)": ABSENT_DIFFERS,
    **{
        f"dynamodb_updates.{name}: condition attribute_not_exists({{expected}}) OR {{expected}} = :checksum"
        " less attribute_not_exists({expected})": "what is taken back meanwhile costs one more try, without a checksum"
        for name in ("count", "count_in_shard")
    },
    **{
        f"{name}: condition attribute_not_exists(join_state) OR {rest}"
        " less attribute_not_exists(join_state)": ABSENT_DIFFERS
        for name, rest in (
            ("dynamodb_updates.expect", "join_state <> :clearing"),
            ("dynamodb_updates.expect", "join_state <> :joined"),
            ("dynamodb_join_updates.change_join", "join_state <> :clearing"),
            ("dynamodb_join_updates.claim_clear", "join_state <> :claimed OR lease_until < :now"),
        )
    },
    "dynamodb_updates.make_complete: condition attribute_not_exists(join_state) OR join_state <> :joined"
    " less attribute_not_exists(join_state)": ABSENT_DIFFERS,
}
"""Mutants that behave as the module does, by module and name, each with the reason."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant. ``noticed_by``: a test; None where all passed."""

    target: Target
    mutant: Mutant
    noticed_by: str | None
    seconds: float

    @property
    def name(self) -> str:
        """With the module's last word."""
        return name_of(self.target, self.mutant)


def name_of(target: Target, mutant: Mutant) -> str:
    """With the module's last word."""
    return f"{target.module.rpartition('.')[2]}.{mutant.name}"


class Copy:
    """A copy of what the tests need, whose modules change one at a time."""

    def __init__(self, directory: Path) -> None:
        """``directory``: is made."""
        self.directory = directory
        self._writes = 0
        for name in COPIED:
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in LINKED:
            (directory / name).symlink_to(ROOT / name)

    def write(self, path: str, source: str) -> None:
        """Change a module; its time is one that no compiled form was made of."""
        self._writes += 1
        (self.directory / path).write_text(source)
        os.utime(self.directory / path, (self._writes, self._writes))

    def begin(self, tests: Iterable[str]) -> int:
        """Run tests in a process of their own, up to the first run that fails; its id. See ``ended``."""
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.setsid()
                code = self._run(tests)
            except BaseException:  # noqa: BLE001 -- nothing may go on in the parent's name
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        return pid

    def _run(self, tests: Iterable[str]) -> int:
        """In the child: forget our own modules, and find the copy's."""
        with (self.directory / "said").open("w") as said:
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
        signal.alarm(LIMIT_SECONDS)
        os.chdir(self.directory)
        os.environ["PYTHONPATH"] = str(self.directory)
        os.environ.pop("CI", None)
        for name in list(sys.modules):
            if name.partition(".")[0] in COPIED:
                del sys.modules[name]
        sys.path.insert(0, str(self.directory))
        importlib.invalidate_caches()
        for words in tests:
            code = pytest.main([*PYTEST, *words.split()])
            if Path(sys.modules["splitjoin_cli"].__file__ or "").parents[1] != self.directory:
                return 71
            if code:
                return int(code)
        return 0

    def said(self) -> str:
        """What the tests of the last process printed."""
        return (self.directory / "said").read_text(errors="replace")

    def ended(self, pid: int, status: int) -> str | None:
        """The first test that failed, or why there was no end; None where all passed. Ends what was left running."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
            return f"no end within {LIMIT_SECONDS} s"
        if status == 0:
            return None
        said = self.said()
        failed = _FAILED.search(said)
        if failed is None:
            raise RuntimeError(f"the tests ended with {os.waitstatus_to_exitcode(status)}:\n{said[-3000:]}")
        return failed[1]


def check(wanted: str = "", *, at_once: int = AT_ONCE) -> Iterator[Verdict]:
    """Every mutant whose name holds ``wanted``, as it is done with.

    Raises RuntimeError where tests fail without any mutant. Processes are forked from this one, which has imported
    what takes long and is not ours.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    chosen = [
        (target, mutant) for target in TARGETS for mutant in target.mutants() if wanted in name_of(target, mutant)
    ]
    with tempfile.TemporaryDirectory(prefix="splitjoin-mutants-") as place:
        free = [Copy(Path(place, str(index))) for index in range(at_once)]
        needed = dict.fromkeys(words for target, _ in chosen for words in target.tests)
        if (failed := free[0].ended(*os.waitpid(free[0].begin(needed), 0))) is not None:
            raise RuntimeError(f"without any mutant fails {failed}:\n{free[0].said()[-3000:]}")
        running: dict[int, tuple[Copy, Target, Mutant, float]] = {}
        for target, mutant in chosen:
            if not free:
                copy, verdict = _next(running)
                free.append(copy)
                yield verdict
            copy = free.pop()
            copy.write(target.path, mutant.source)
            running[copy.begin(target.tests)] = copy, target, mutant, time.monotonic()
        while running:
            yield _next(running)[1]


def _next(running: dict[int, tuple[Copy, Target, Mutant, float]]) -> tuple[Copy, Verdict]:
    """Wait for the next mutant to be done with; its copy is whole again."""
    pid, status = os.wait()
    copy, target, mutant, began = running.pop(pid)
    failed = copy.ended(pid, status)
    copy.write(target.path, (ROOT / target.path).read_text())
    return copy, Verdict(target, mutant, failed, time.monotonic() - began)


def survivors(verdicts: Iterable[Verdict]) -> list[str]:
    """What is wrong: mutants that no test noticed, and noticed ones that were said to be none. Prints each verdict."""
    wrong = []
    for verdict in verdicts:
        said = UNNOTICED.get(verdict.name)
        by = verdict.noticed_by or (f"nothing: {said}" if said else "NOTHING")
        print(f"{verdict.name} | {by} | {verdict.seconds:.0f} s", flush=True)
        if verdict.noticed_by is None and said is None:
            wrong.append(f"{verdict.name}: no test fails")
        elif verdict.noticed_by is not None and said is not None:
            wrong.append(f"{verdict.name}: noticed after all, by {verdict.noticed_by}")
    return wrong


def main() -> int:
    wrong = survivors(check(sys.argv[1] if len(sys.argv) > 1 else ""))
    print("\n".join(["", *wrong]) if wrong else "\nall noticed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
