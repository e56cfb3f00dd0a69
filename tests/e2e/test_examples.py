"""The examples do what they say."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host.authoring.checking import validate
from connector_host.configuration import bundled

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not beside the package")


def test_a_soar_in_sixty_lines(sandbox: Any) -> None:
    file = EXAMPLES / "soar.py"
    done = subprocess.run(
        [sys.executable, str(file), sandbox.base], capture_output=True, text=True, timeout=60, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    for words in (
        "list_users: Passed",
        "get_user_contact_methods: Partially Successful",
        "fetch_incident: Passed",
        " ann list_users ",
    ):
        assert words in done.stdout
    assert len(file.read_text("utf-8").splitlines()) <= 70


def test_a_plugin_of_one_manifest_is_sound() -> None:
    found = validate(EXAMPLES / "acme", bundled() / "schemas").problems
    assert [str(problem) for problem in found if problem.level.value == "error"] == []


def test_a_part_steps_around_each_request(tmp_path: Path, sandbox: Any) -> None:
    program = f"""
import asyncio, sys, types
sys.path.insert(0, {str(EXAMPLES / "parts")!r})
import counting
from pathlib import Path
from connector_host import Change, Configuration
from connector_host.app import App
from connector_host.configuration import bundled
manifest = Path({str(tmp_path)!r}) / "manifest.yaml"
text = (bundled() / "manifest.yaml").read_text().replace("steps: [", "steps: [counting, ")
manifest.write_text(text.replace("- plugins/", f"- {{bundled()}}/plugins/"))
async def main():
    async with App(Configuration(home=Path({str(tmp_path)!r}), manifest=manifest, plugs=(counting,))).open() as host:
        session = host.as_operator()
        where = {{"server_url": {sandbox.base!r}, "event_url": {sandbox.base!r}}}
        await session.connections.add("lab", "pagerduty", Change(parameters=where, secrets={{"api_key": "k" * 20}}))
        await session.run("pagerduty", "list_users", "lab")
    print(dict(counting.sent))
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "{'api': 1}\n", done.stderr
