"""The core is a library: what it needs, and that it runs without the command line's packages."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import Sandbox

SOAR = Path(__file__).parents[2] / "examples" / "soar.py"
CLI = {"click", "rich", "starlette", "uvicorn", "ruamel"}
CORE = {
    *("pluggy", "httptools", "aiohappyeyeballs", "httpx2", "truststore", "msgspec", "jsonschema", "jsonschema-rs"),
    *("jsonpath-ng", "cryptography", "pyyaml", "packaging", "anyio", "tzdata"),
}
WITHOUT = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {CLI!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
"""


def alone(program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in which the command line's packages are not there."""
    command = [sys.executable, "-c", WITHOUT + program, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_core_requires_these_and_no_others() -> None:
    found = importlib.metadata.requires("connector-host") or []
    names = {re.split(r"[^A-Za-z0-9_.-]", one)[0].lower() for one in found if "extra ==" not in one}
    assert names == CORE


def test_a_soar_runs_on_the_core_alone(sandbox: Sandbox) -> None:
    if not SOAR.exists():
        pytest.skip("the examples are not beside the package")
    run = f"import runpy; sys.argv = ['soar.py', {sandbox.base!r}]; runpy.run_path({str(SOAR)!r}, run_name='__main__')"
    done = alone(f"{run}\nassert not {CLI!r} & sys.modules.keys()")
    assert done.returncode == 0, done.stderr
    assert "ann: get_user_contact_methods: Partially Successful" in done.stdout


def test_the_command_line_says_which_extra_it_is() -> None:
    done = alone("from connector_host.__main__ import main; sys.exit(main())", "plugins", "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "The command line needs the extra: python -m pip install 'connector-host[cli]'\n"


def test_every_bundled_plugin_loads_and_a_sandbox_says_which_extra_it_needs() -> None:
    program = """
from connector_host.app import App
from connector_host.authoring.kit.stand_in import stand_in_of
from connector_host.authoring.formatting import formatted
plugins = App().plugins
assert len(plugins.plugins) == 6 and not plugins.broken, plugins.broken
for name in ("pagerduty", "urlscan"):
    try:
        stand_in_of(plugins.plugin(name)).build()
    except Exception as error:
        print(type(error).__name__, error)
try:
    formatted("a: 1")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = alone(program)
    assert done.returncode == 0, done.stderr
    words = "needs the extra: python -m pip install 'connector-host[cli]'"
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("ExtraMissing ") and line.endswith(words) for line in lines), lines
