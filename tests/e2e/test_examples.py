"""The examples do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host.authoring.checking import validate
from connector_host.configuration import bundled

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not beside the package")


def ran(file: str, *words: str) -> str:
    """Run an example; by .ci/run with the Python that has the wheel, and the wheel alone."""
    program = os.environ.get("WHEELS_PYTHON", sys.executable)
    done = subprocess.run([program, str(EXAMPLES / file), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_small_soar(sandbox: Any) -> None:
    said = ran("soar.py", sandbox.base)
    for who in ("ann", "bob"):
        for words in ("list_users: Passed", "get_user_contact_methods: Partially Successful", "create_event: Passed"):
            assert f"{who}: {words}" in said
    assert "eve: There is no connection 'lab' that you may use." in said
    assert "operator: fetch_incident: Passed" in said
    assert " user bob at branch create_event Passed" in said
    assert len((EXAMPLES / "soar.py").read_text("utf-8").splitlines()) <= 80


@pytest.mark.parametrize("way", ["threads", "fork", "loops"])
def test_the_same_soar_without_an_event_loop(sandbox: Any, way: str) -> None:
    if way == "fork" and not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    said = ran("soar_blocking.py", sandbox.base, way)
    for who in ("ann", "bob"):
        assert f"{who}: Passed, Partially Successful, Passed" in said
    assert "eve: There is no connection 'lab' that you may use." in said
    assert said.count("a child ended with 0") == (3 if way == "fork" else 0)
    assert re.search(r"^[1-9]\d* incidents taken in, 7 runs in the history$", said, re.MULTILINE)


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


def test_a_notifier_with_settings_of_its_own(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(EXAMPLES / "parts")!r})
import filenotes, yaml
from pathlib import Path
from connector_host import Change, Configuration, HealthCheck
from connector_host.app import App
from connector_host.configuration import bundled
home = Path({str(tmp_path)!r})
value = yaml.safe_load((bundled() / "manifest.yaml").read_text())
value["plugins"] = [str(bundled() / folder) for folder in value["plugins"]]
value |= {{"notifiers": ["filenotes"], "options": {{"filenotes": {{"file": str(home / "told.txt")}}}}}}
(home / "manifest.yaml").write_text(yaml.safe_dump(value))
async def main():
    async with App(Configuration(home=home, manifest=home / "manifest.yaml", plugs=(filenotes,))).open() as host:
        session = host.as_operator()
        nowhere = "http://127.0.0.1:9"
        check = HealthCheck(interval_minutes=5, failures_before_mail=1, recipients=("ann@example.com",))
        where = {{"server_url": nowhere, "event_url": nowhere}}
        await session.connections.add("lab", "pagerduty", Change({{"health_check": check}}, where, {{"api_key": "k" * 20}}))
        await session.health.run_due()
    print((home / "told.txt").read_text())
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("connection.failing lab to ann@example.com: "), done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slots: {nonsense: mine}", "There is no slot 'nonsense' to choose a part for. There are: store, cipher,"),
        ("options: {filenotes: 5}", "The setting 'options' of the host manifest must be a mapping"),
    ],
)
def test_a_host_manifest_that_chooses_what_is_not_there_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "manifest.yaml").write_text(text)
    command = [sys.executable, "-m", "connector_host", "plugins", "list"]
    where = {**os.environ, "CONNECTOR_HOST_MANIFEST": str(tmp_path / "manifest.yaml")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=where)
    assert done.returncode == 2
    assert words in done.stderr
