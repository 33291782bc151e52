"""CI leaves no test out: what would be skipped elsewhere fails there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SKIPS = {
    "a test": "import pytest\ndef test_it():\n    pytest.skip('no such server')\n",
    "a module": "import pytest\npytest.skip('no such server', allow_module_level=True)\n",
    "a mark": "import pytest\n@pytest.mark.skip(reason='no such server')\ndef test_it(): ...\n",
}


@pytest.mark.parametrize(("environment", "counts"), [({}, "3 skipped"), ({"CI": "true"}, "1 failed, 2 errors")])
def test_a_skip_fails_only_in_ci(environment: dict[str, str], counts: str, tmp_path: Path) -> None:
    """Whatever way a test is skipped, and with the reason in the report."""
    for number, what in enumerate(SKIPS):
        (tmp_path / f"test_skips_{number}.py").write_text(SKIPS[what])
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = server\n")
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rs", "--tb=short"]
    done = subprocess.run(
        [*command, "--continue-on-collection-errors", str(tmp_path)],
        cwd=ROOT, env=inherited | environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert re.search(f"^=+ {counts} in ", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.stdout.count("no such server") >= len(SKIPS)
