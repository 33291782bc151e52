"""Runs the installed ``splitjoin`` as users do: a process of its own, with nothing but its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.schemas import hold_printed

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = Path(sys.executable).with_name("splitjoin")
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run left: exit code, stdout, stderr."""

    code: int
    out: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """Stdout as text."""
        return self.out.decode("utf-8", "surrogateescape")

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout: exactly one line, and nothing else."""
        assert self.stdout.count("\n") == 1, self
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def error(self) -> dict[str, Any]:
        """The document's error, whose code must be the exit code."""
        error: dict[str, Any] = self.document["error"]
        assert set(error) == {"code", "message", "hint"}
        assert error["code"] == self.code
        return error


@dataclass(frozen=True, slots=True)
class Splitjoin:
    """The command in one directory and one environment. ``seconds``: what a run may take."""

    directory: Path
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: float = SECONDS

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None, **env: str) -> Ran:
        """Run it to its end; ``env`` adds to the environment."""
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=self.directory,
            env=self.environment(**env),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=self.seconds,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr.decode())
        hold_printed([str(word) for word in arguments], ran.code, ran.stdout)
        return ran

    def ok(self, *arguments: str | Path, stdin: bytes | None = None, **env: str) -> Ran:
        """As a call, of a command that must exit 0."""
        ran = self(*arguments, stdin=stdin, **env)
        assert ran.code == 0, ran
        return ran

    def json(self, *arguments: str | Path, stdin: bytes | None = None, **env: str) -> dict[str, Any]:
        """The document of a command that must exit 0."""
        return self.ok(*arguments, "--json", stdin=stdin, **env).document

    def begin(self, *arguments: str | Path, stdin: Path | None = None, **env: str) -> subprocess.Popen[bytes]:
        """Start it and let it run; the caller ends and waits for it. ``stdin``: a file that it reads."""
        with Path(os.devnull if stdin is None else stdin).open("rb") as taken:
            return subprocess.Popen(
                [COMMAND, *map(str, arguments)],
                cwd=self.directory,
                env=self.environment(**env),
                stdin=taken,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def within(self, **env: str) -> Splitjoin:
        """The same command with more in its environment."""
        return Splitjoin(self.directory, {**self.env, **env}, self.seconds)

    def environment(self, **more: str) -> dict[str, str]:
        """This process's own, which tests keep clean, and what was added."""
        return {**os.environ, **self.env, **more}
