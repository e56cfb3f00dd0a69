"""docs/howto/authoring.md as a newcomer reads it: every block is run, in order, in an empty folder."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "authoring.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(script: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CONNECTOR_HOST_HOME": str(folder / "home"), "COLUMNS": "120"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_every_block_of_the_tutorial(tmp_path: Path) -> None:
    if not PAGE.exists():
        pytest.skip("the documents are not beside the package")
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    assert {kind for kind, _ in blocks} == {"sh", "text", "yaml", "python"}
    printed = ""
    for kind, content in blocks:
        if kind == "sh":
            printed = run(content, tmp_path)
        elif kind == "text":
            for line in content.splitlines():
                assert line.strip() in printed, f"{line}\nis not in\n{printed}"
        else:
            where, _, rest = content.partition("\n")
            file = tmp_path / where.removeprefix("# ").removeprefix("at the end of ")
            file.parent.mkdir(exist_ok=True)
            before = file.read_text("utf-8") if where.startswith("# at the end of ") else ""
            file.write_text(before + rest, "utf-8")


def test_every_rule_is_documented() -> None:
    from connector_host.authoring.kit.bench import RULES

    import_module("connector_host.authoring.kit.kit")
    page = PAGE.with_name("rules.md")
    if not page.exists():
        pytest.skip("the documents are not beside the package")
    text = page.read_text("utf-8")
    gallery = {
        word
        for file in Path(__file__).parent.glob("broken/*/expected.txt")
        for word in re.findall(r"^\d+:\d+ \w+ \[([a-z-]+)\]", file.read_text("utf-8"), re.MULTILINE)
    }
    house = Path(sys.modules["connector_host"].__file__ or "").parent / "kernel" / "manifests"
    named = {
        word for file in house.rglob("*.py") for word in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', file.read_text("utf-8"))
    }
    assert [code for code in sorted(RULES) if f"| `{code}` |" not in text] == []
    assert [code for code in sorted(gallery | named) if f"`{code}`" not in text] == []
