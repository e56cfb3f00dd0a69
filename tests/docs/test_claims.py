"""What was once said and was not so: each claim of the documents that was found half true, tried."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connector_host import Change, Configuration, ConnectorHostError
from connector_host.app import App
from connector_host.configuration import bundled
from tests.world import API_KEY, Sandbox, World

PROGRAM = str(Path(sys.executable).with_name("connector-host"))


def ran(home: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CONNECTOR_HOST_HOME": str(home)}
    return subprocess.run(
        [PROGRAM, *arguments], input=given, capture_output=True, text=True, env=environment, cwd=home, timeout=60
    )


@pytest.mark.parametrize(
    ("wrong", "rule"), [('requires_host: ">=9"', "host-version"), ("id: pagerduty", "plugin-id-taken")]
)
def test_validate_finds_what_this_host_cannot_load(tmp_path: Path, wrong: str, rule: str) -> None:
    assert ran(tmp_path, "plugins", "new", "acme").returncode == 0
    file = tmp_path / "acme" / "manifest.yaml"
    key = wrong.partition(":")[0]
    file.write_text(re.sub(rf"^{key}: .*$", wrong, file.read_text("utf-8"), flags=re.MULTILINE))
    done = ran(tmp_path, "plugins", "validate", "acme")
    assert (done.returncode, f"[{rule}]" in done.stdout + done.stderr) == (1, True)


def test_a_linked_plugin_is_not_taken_for_another_of_its_id(tmp_path: Path) -> None:
    ran(tmp_path, "plugins", "new", "acme")
    assert ran(tmp_path, "plugins", "validate", "acme").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("test-command", "pagerduty", "list-users", "--connection", "nowhere"),
        ("plugins", "new", "acme", "--folder", "/proc/x"),
        ("connections", "show", "nowhere"),
        ("history", "show", "nothing"),
        ("connections", "import", "/proc/self/mem"),
    ],
)
def test_every_way_to_fail_ends_in_words(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = ran(tmp_path, *arguments)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


@pytest.mark.parametrize("name", [None, 7, ["prod"], ""])
def test_a_connection_that_is_no_name_is_a_connector_host_error(prod: World, name: object) -> None:
    with pytest.raises(ConnectorHostError):
        prod.use(lambda host: host.run("pagerduty", "list_users", name))  # type: ignore[arg-type]


def test_a_database_url_with_three_slashes_is_relative_and_with_four_absolute(tmp_path: Path) -> None:
    inside = tmp_path / "elsewhere"
    inside.mkdir()
    four = World(tmp_path / "home", database=f"sqlite:///{inside}/my.db")
    assert f"sqlite:///{inside}/my.db".startswith("sqlite:////")
    four.use(lambda host: host.connections.list())
    assert (inside / "my.db").exists()
    environment = {**os.environ, "CONNECTOR_HOST_HOME": str(tmp_path), "CONNECTOR_HOST_DATABASE": "sqlite:///three.db"}
    done = subprocess.run(
        [PROGRAM, "connections", "list"], env=environment, cwd=inside, capture_output=True, timeout=60
    )
    assert done.returncode == 0
    assert (inside / "three.db").exists()


def test_an_own_server_url_keeps_the_region_from_filling_in_and_a_reference_taken_off_is_no_silent_real_one(
    world: World, sandbox: Sandbox
) -> None:
    world.add(sandbox.base, "lab")
    copied = world.use(lambda host: host.connections.copy("lab", "eu", Change(parameters={"region": "EU"})))
    assert copied.parameters["server_url"] == sandbox.base


def test_exit_codes_of_checks_are_told_where_the_command_line_is_described() -> None:
    page = bundled() / "docs" / "reference" / "cli.md"
    if not page.exists():
        pytest.skip("the documents are not beside the package")
    head = page.read_text("utf-8").partition("\n## ")[0]
    for command in ("plugins validate", "plugins test", "plugins format --check", "audit verify", "health run-due"):
        assert f"`{command}`" in head, command


def test_who_looked_a_value_up_stands_in_the_audit(prod: World) -> None:
    """Whose run it was, not only through which connection."""
    prod.run("list_users")
    found = prod.use(lambda host: host.audit.newest(1))[0].document()
    assert found["actor_kind"] == "operator"
    assert json.loads(found["details"])["command"] == "list_users" if isinstance(found["details"], str) else True


def test_the_six_plugins_load_from_a_copy_of_the_manifest(tmp_path: Path) -> None:
    own = tmp_path / "manifest.yaml"
    own.write_text((bundled() / "manifest.yaml").read_text("utf-8"))
    registry = App(Configuration(home=tmp_path, manifest=own)).plugins
    assert (len(registry.plugins), registry.broken) == (6, {})


def test_a_sealed_exports_copy_without_its_seal_is_not_what_is_masked(prod: World) -> None:
    masked = prod.use(lambda host: host.connections.show("prod"))["secrets"]["api_key"]
    assert API_KEY not in str(masked)
    assert set(str(masked)) == {"*"} or str(masked).endswith(API_KEY[-4:])
