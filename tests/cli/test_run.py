"""The frame around every command: help, version, start-up, closed outputs, signals. As a user has it: a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli import __version__
from splitjoin_cli.cli.group import COMMANDS, cli
from splitjoin_cli.cli.signals import stopped_by_signals, too_late
from splitjoin_cli.core.errors import StoppedError
from splitjoin_cli.core.native import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran

SPLITJOIN = Path(sys.executable).with_name("splitjoin")
HEAVY = {"boto3", "botocore", "numpy", "awscrt", "smart_open", "rich", "requests", "urllib3", "asyncio"}
TYPED_ALONE = {"--force", "--name", "--run", "--chunk", "--unfinished"}
UNUSED = HEAVY | {
    *("bz2", "lzma", "isal", "backports.zstd", "compression"),  # the source is not compressed, nor are the chunks
    *("shutil", "tempfile", "random", "secrets"),  # each imports a good deal more, for one function
    *("decimal", "shlex", "csv", "sqlite3"),
    "splitjoin_cli.core.aws.client",
    "splitjoin_cli.core.format.metadata",
    "splitjoin_cli.stores.sinks.s3",
    "splitjoin_cli.stores.sources.s3",
    "splitjoin_cli.stores.sources.spool",
    "splitjoin_cli.stores.sources.url",
    "splitjoin_cli.splitting.probe",
    "splitjoin_cli.splitting.resume",
    "splitjoin_cli.splitting.stored.chunks",
    "splitjoin_cli.splitting.transfer",
    "splitjoin_cli.splitting.engines",
    "splitjoin_cli.stores.trackers.base",
}
"""What a split of a local file into a directory has no use for."""

STOPS = """
import sys, time
from splitjoin_cli.core.errors import SplitjoinError

def perform(*_, **__):
    try:
        print("splitting", file=sys.stderr, flush=True)
        time.sleep(60)
    finally:
        {undo}
        print("undone", file=sys.stderr, flush=True)

import splitjoin_cli.api.one_split
splitjoin_cli.api.one_split.perform = perform
{before}
from splitjoin_cli.__main__ import main
main()
"""


def installed(*arguments: str, stdout: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run(
        [SPLITJOIN, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )


def test_version() -> None:
    """The installed command and the module are the same."""
    for spelling in ("--version", "-V"):
        assert installed(spelling).stdout == f"splitjoin {__version__}\n"
    module = subprocess.run(
        [sys.executable, "-m", "splitjoin_cli", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (module.returncode, module.stdout, module.stderr) == (0, f"splitjoin {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """What help is slow by is what it imports, which a test can tell without a clock."""
    code = (
        "import sys; from splitjoin_cli.cli.run import run\n"
        f"code = run({arguments!r})\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.startswith("Usage: splitjoin")
    assert done.stderr == "[] 0\n"


def test_a_split_of_a_local_file_imports_only_what_it_uses(tmp_path: Path) -> None:
    """A small file is split in less time than all of the package takes to import."""
    (tmp_path / "small.csv").write_bytes(b"a,b\n1,2\n")
    compiled = kernel() is not None  # else numpy is needed, which imports a lot
    unused = {name for name in UNUSED if compiled or name.startswith("splitjoin_cli.")}
    code = (
        "import sys; from splitjoin_cli.cli.run import run\n"
        "code = run(['split', 'small.csv', 'chunks', '--quiet', '--date', '20260101'])\n"
        f"print(sorted({unused!r} & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == (f"{tmp_path}/chunks/small_20260101.manifest.json\n", "[] 0\n")


@pytest.mark.parametrize("command", ["init", "status"])
def test_a_tracker_in_a_file_needs_nothing_of_aws(command: str, tmp_path: Path) -> None:
    """Botocore takes longer to import than all the rest."""
    code = (
        "import sys; from splitjoin_cli.cli.run import run\n"
        f"code = run([{command!r}, '--tracker', 'sqlite:tracker.db', '--quiet'])\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.splitlines()[-1] == "[] 0"


@pytest.mark.parametrize("scanner", ["compiled", "numpy"])
def test_a_start_looks_for_no_garbage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanner: str) -> None:
    """Nearly all that it makes stays, numpy too where nothing is compiled. The work that follows is looked through."""
    monkeypatch.setenv("SPLITJOIN_SCANNER", scanner)
    (tmp_path / "small.csv").write_bytes(b"a,b\n1,2\n")
    code = (
        "import atexit, gc, sys; from splitjoin_cli.__main__ import main\n"
        "looked = []; gc.callbacks.append(lambda phase, info: looked.append(phase))\n"
        "atexit.register(lambda: print(looked.count('start'), gc.isenabled(), file=sys.stderr))\n"
        "sys.argv = ['splitjoin', 'split', 'small.csv', 'chunks', '--quiet', '--date', '20260101']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    times, still_on = done.stderr.split()
    assert (done.returncode, still_on) == (0, "True")
    assert int(times) < 15  # 4 to 6, instead of the 43 without care


def test_a_signal_while_the_result_is_said_stops_nothing() -> None:
    """Half a document would be none; after it, a signal is what it was."""
    with stopped_by_signals():
        with too_late():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(StoppedError):
            os.kill(os.getpid(), signal.SIGTERM)


def test_help_of_the_group_imports_no_command() -> None:
    """Its lines come from a table."""
    code = (
        "import sys; from splitjoin_cli.cli.run import run; run(['--help'])\n"
        "print(sorted(name for name in sys.modules if name.startswith('splitjoin_cli.cli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "splitjoin_cli.cli.split" not in done.stderr
    assert all(f"  {name}" in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_documented(name: str) -> None:
    """The group's line for it is its own, it has examples or exit codes, and every option says what it does."""
    with cli.make_context("splitjoin", [name], resilient_parsing=True) as context:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.short_help == COMMANDS[name].short_help
        assert "Exit codes:" in (command.epilog or "")
        undocumented = [one.name for one in command.params if one.param_type_name == "option" and not one.help]
    assert undocumented == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_a_variable(name: str) -> None:
    """SPLITJOIN_ and the option's own name, without the command's; what chooses what goes is typed, each time."""
    with cli.make_context("splitjoin", [name], resilient_parsing=True) as context:
        command = cli.get_command(context, name)
        assert command is not None
        options = [one for one in command.params if one.param_type_name == "option"]
    named = {next(text for text in one.opts if text.startswith("--")): one.envvar for one in options}
    alone = TYPED_ALONE if name in {"rm", "clear", "replace"} else set()
    assert named == {
        option: None if option in alone else "SPLITJOIN_" + option[2:].replace("-", "_").upper() for option in named
    }


def test_no_command(splitjoin: Callable[..., Ran]) -> None:
    """Help on stderr and exit 2; with --json one document."""
    ran = splitjoin()
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("Usage: splitjoin [OPTIONS] COMMAND [ARGS]...\n")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["spilt", "--json"], "there is no command 'spilt'", "did you mean split? splitjoin --help lists all"),
        (["STATUS", "--json"], "there is no command 'STATUS'", "did you mean status? splitjoin --help lists all"),
        (["xyz", "--json"], "there is no command 'xyz'", "splitjoin --help lists them"),
        (
            ["--json"],
            "splitjoin itself has no option --json",
            "options follow the command: splitjoin COMMAND --json",
        ),
    ],
)
def test_errors_before_any_command(
    splitjoin: Callable[..., Ran], arguments: list[str], message: str, hint: str
) -> None:
    """--json is heard before anything is parsed, and a mistyped command is answered with the nearest one."""
    ran = splitjoin(*arguments)
    assert ran.code == 2
    assert ran.document == {"error": {"code": 2, "message": message, "hint": hint}}


def test_a_hint_keeps_what_is_to_be_filled_in(splitjoin: Callable[..., Ran]) -> None:
    """A login in a URL is never said; USER is none."""
    error = splitjoin("simulate", "a.csv", "--into", "foo:bar", "--json").document["error"]
    assert "mysql://USER@HOST/DATABASE" in error["hint"]
    error = splitjoin("split", "ftp://host/a.csv", "out", "--json").document["error"]
    assert error["message"] == "cannot open ftp://host/a.csv: the URL is not complete"
    assert error["hint"] == "name the user: ftp://USER@host/a.csv"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_stdout_is_full(tmp_path: Path) -> None:
    """A result that could not be written is a failure, said once, without a traceback."""
    with Path("/dev/full").open("wb") as full:
        done = installed("split", "a.csv", "--json", stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write to standard output: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


def test_stdout_is_closed() -> None:
    """The same for a reader that went away."""
    read, write = os.pipe()
    os.close(read)
    done = installed("split", "a.csv", "--json", stdout=write)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write to standard output: Broken pipe\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["split", "--help"]])
def test_stdout_is_full_for_a_help(arguments: list[str]) -> None:
    """What click writes is a failure of the output too, and no bug."""
    with Path("/dev/full").open("wb") as full:
        done = installed(*arguments, stdout=full.fileno())
    assert (done.returncode, done.stderr) == (1, "Error: cannot write to standard output: No space left on device\n")


def test_stdout_is_closed_for_a_help() -> None:
    """A reader that went away is no lost connection."""
    read, write = os.pipe()
    os.close(read)
    done = installed("split", "--help", stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "Error: cannot write to standard output: Broken pipe\n")


def test_stderr_is_closed() -> None:
    """A talk that nobody hears fails nothing: the code is the error's."""
    done = subprocess.run(
        ["sh", "-c", '"$0" split a.csv 2>&-', str(SPLITJOIN)], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, b"")


def stopping(*arguments: str, undo: str = "pass", before: str = "") -> subprocess.Popen[str]:
    """A split that runs for a minute and undoes when stopped, under way."""
    script = STOPS.format(undo=undo, before=before)
    process = subprocess.Popen(
        [sys.executable, "-c", script, "split", "acme.csv", "out", "--date=1", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == "splitting\n"
    return process


RESUME = "splitjoin split --client=acme --date=1 -- acme.csv out"


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_signals_undo(number: signal.Signals, word: str) -> None:
    """Exit 130 or 143, after what was begun is undone, with the command that resumes."""
    process = stopping()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert stdout == ""
    assert stderr == f"undone\nError: {word} by {number.name}\nHint: to resume, type: {RESUME}\n"


def test_signals_as_json() -> None:
    """One document, with the command on its own."""
    process = stopping("--json")
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 143
    assert stderr == "undone\n"
    assert json.loads(stdout) == {
        "resume": RESUME,
        "error": {"code": 143, "message": "terminated by SIGTERM", "hint": f"to resume, type: {RESUME}"},
    }


def test_an_echo_of_the_signal_does_not_cut_the_undoing_short() -> None:
    """``timeout`` signals the process and then its group: two signals that mean one."""
    process = stopping(undo="print('undoing', file=sys.stderr, flush=True); time.sleep(0.5)")
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert process.stderr.readline() == "undoing\n"
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 143
    assert stderr.startswith("undone\n")


def test_a_second_signal_ends_it() -> None:
    """An undoing that hangs can be ended by asking again."""
    process = stopping(undo="print('undoing', file=sys.stderr, flush=True); time.sleep(60)")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == "undoing\n"
    time.sleep(1.1)  # longer than an echo takes
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert stderr == ""


def test_an_ignored_signal_stays_ignored() -> None:
    """A shell's background job must not hear the terminal's Ctrl-C."""
    process = stopping(before="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143


def test_a_signal_while_the_command_is_imported_is_heard_afterwards(tmp_path: Path) -> None:
    """Python's own handler would show the imports, and with --json there would be no document."""
    code = (
        "import os, signal, sys; from splitjoin_cli import __main__\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'splitjoin_cli.cli.run': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.argv = ['splitjoin', 'split', 'small.csv', 'chunks', '--json']; __main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "")
    assert json.loads(done.stdout)["error"]["message"] == "interrupted by SIGINT"


def test_what_the_caller_has_blocked_stays_blocked() -> None:
    """The mask that a process was started with is its parent's wish."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with stopped_by_signals(mask={signal.SIGTERM}):
            assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        with stopped_by_signals():
            assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_signal_waits_until_a_thread_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error raised while a thread is being started would leave the thread half known to Python."""
    name = "_start_joinable_thread" if hasattr(threading, "_start_joinable_thread") else "_start_new_thread"
    start = getattr(threading, name)

    def start_under_signal(*args: object, **options: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*args, **options)

    monkeypatch.setattr(threading, name, start_under_signal)
    thread = threading.Thread(target=lambda: None)

    def start_and_go_on() -> None:
        with stopped_by_signals():
            thread.start()
            time.sleep(30)

    with pytest.raises(StoppedError, match="terminated by SIGTERM"):
        start_and_go_on()
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_a_wrong_value_from_the_environment_names_its_variable(
    splitjoin: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option is not on the command line, so that the message alone would puzzle."""
    monkeypatch.setenv("SPLITJOIN_CHUNKS", "abc")
    ran = splitjoin("split", "a.csv", "d", "--json")
    assert ran.code == 2
    assert "'--chunks'" in ran.document["error"]["message"]
    assert ran.document["error"]["hint"] == "the value is from the environment: set or unset SPLITJOIN_CHUNKS"
    typed = splitjoin("split", "a.csv", "d", "--chunks", "abc", "--json")
    assert typed.document["error"]["hint"] == "splitjoin split --help"
