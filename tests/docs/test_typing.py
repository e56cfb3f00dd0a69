"""What type checkers say to users of the package: nothing where they are right, and each planted error."""

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "typing"


def told(name: str) -> list[tuple[int, str]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", str(FOLDER / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=FOLDER.parents[1])
    return [(int(line), kind) for line, kind in re.findall(rf"{name}:(\d+): error: .*\[([\w-]+)\]", done.stdout)]


def test_a_users_file_is_well() -> None:
    assert told("users_file.py") == []


def test_each_planted_error_is_told() -> None:
    lines = (FOLDER / "planted.py").read_text("utf-8").splitlines()
    planted = [
        (number, line.rpartition("# ")[2]) for number, line in enumerate(lines, 1) if re.search(r"  # [\w-]+$", line)
    ]
    assert sorted(set(told("planted.py"))) == planted
