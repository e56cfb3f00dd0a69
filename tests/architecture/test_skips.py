"""With SKIPS_FAIL what is skipped for want of a program has failed: a test, or a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = {
    "a test": "import pytest\ndef test_it(): pytest.skip('nodejs is not installed')\n",
    "a file": "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): pass\n",
    "expected": "import pytest\ndef test_it(): pytest.skip('it takes long: LONG=1 runs it')\n",
}


@pytest.mark.parametrize(
    ("what", "set_to", "ends_with"),
    [("a test", "1", 1), ("a test", "", 0), ("a file", "1", 2), ("expected", "1", 0)],
)
def test_a_skip_is_a_failure(tmp_path: Path, what: str, set_to: str, ends_with: int) -> None:
    (tmp_path / "test_one.py").write_text(FILES[what])
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", "."]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SKIPS_FAIL": set_to, "PYTEST_ADDOPTS": ""}
    done = subprocess.run([*command, "."], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == ends_with, done.stdout
    assert ("SKIPS_FAIL is set" in done.stdout) == bool(ends_with)
