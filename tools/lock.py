"""Writes tools/constraints.txt: the versions with which CI is known to pass, so that a new linter cannot break it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAD = "# The versions that CI has seen. `make lock` writes this file; pyproject.toml says what the package needs.\n"


def main() -> None:
    command = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    frozen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    Path(__file__).with_name("constraints.txt").write_text(HEAD + frozen)


if __name__ == "__main__":
    main()
