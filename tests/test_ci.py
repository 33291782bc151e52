"""CI leaves no test out: what would be skipped elsewhere fails there."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("what", SKIPS)
@pytest.mark.parametrize(("environment", "code"), [({}, {0, 5}), ({"CI": "true"}, {1, 2})])
def test_a_skip_fails_only_in_ci(what: str, environment: dict[str, str], code: set[int], tmp_path: Path) -> None:
    """Whatever way a test is skipped, and with the reason in the report."""
    (tmp_path / "test_skips.py").write_text(SKIPS[what])
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = server\n")
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rs", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode in code, done.stdout + done.stderr
    assert "no such server" in done.stdout
