"""Real automation hosts, where their packages are installed: HOSTS names a folder with an environment for each.

An environment of its own, because one host's packages change how another behaves: structlog prints local variables in
tracebacks as soon as rich can be imported. `.ci/run` makes them.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples" / "hosts"
GLUE = 20


@functools.cache
def python_with(module: str) -> str:
    """Return the interpreter that has a host's package; skips where there is none, which HOSTS_REQUIRED forbids."""
    own = Path(os.environ.get("HOSTS", "")) / module / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    done = subprocess.run([python, "-c", f"import {module}, connector_host"], capture_output=True, timeout=120)
    if done.returncode == 0 and EXAMPLES.exists():
        return python
    words = f"{module} is not installed: HOSTS names a folder with the environment {module}/ that has it"
    if module in os.environ.get("HOSTS_REQUIRED", "").split(","):
        pytest.fail(words)
    pytest.skip(words)


def glue(file: Path) -> int:
    """Lines of an example that are neither blank nor of its docstring."""
    code = file.read_text("utf-8").partition('"""')[2].partition('"""')[2]
    return sum(bool(line.strip()) for line in code.splitlines())
