"""An own host manifest says what differs; a program names its steps; a generator is told all about a command."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from connector_host import Configuration, open_host
from connector_host.app import App
from connector_host.configuration import bundled
from connector_host.model.errors import BadSetting
from connector_host.ports.hookspecs import plug
from connector_host.ports.parts import Reply, Request, Send, Step, Surroundings
from tests.world import Sandbox, World

PACKAGED = App(Configuration(manifest=bundled() / "manifest.yaml")).settings


def settings(tmp_path: Path, text: str) -> Any:
    manifest = tmp_path / "host.yaml"
    manifest.write_text(text)
    return App(Configuration(home=tmp_path / "home", manifest=manifest)).settings


def test_what_an_own_manifest_leaves_out_stays(tmp_path: Path) -> None:
    mine = settings(tmp_path, "steps: [retry]\ndate_time: {time_zone: Europe/Berlin}\nlimits: {concurrency: 4}\n")
    assert mine.steps == ["retry"]
    assert mine.plugins == PACKAGED.plugins
    assert (mine.date_time.time_zone, mine.date_time.format) == ("Europe/Berlin", PACKAGED.date_time.format)
    assert (mine.limits.concurrency, mine.limits.input_bytes) == (4, PACKAGED.limits.input_bytes)
    assert mine.slots == PACKAGED.slots


@pytest.mark.parametrize("text", ["", "# slots: {store: sqlite}\n", "{}\n"])
def test_a_manifest_that_says_nothing_changes_nothing(tmp_path: Path, text: str) -> None:
    assert settings(tmp_path, text) == PACKAGED


@pytest.mark.parametrize("text", ["false", "[]", "0", "slots: [store]", "limits: 5", "date_time: {format: null}"])
def test_a_section_of_another_shape_is_refused_and_nothing_is_laid_over(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting):
        settings(tmp_path, text)


def test_a_copy_of_the_packages_manifest_finds_the_packages_plugins(tmp_path: Path) -> None:
    shutil.copy(bundled() / "manifest.yaml", tmp_path / "host.yaml")
    assert settings(tmp_path, (tmp_path / "host.yaml").read_text()).plugins == PACKAGED.plugins


def test_a_plugin_beside_the_own_manifest_is_meant_first(tmp_path: Path) -> None:
    own = tmp_path / "plugins" / "pagerduty"
    own.mkdir(parents=True)
    assert settings(tmp_path, "plugins: [plugins/pagerduty, plugins/opsgenie, plugins/nothing]").plugins == (
        own,
        bundled() / "plugins" / "opsgenie",
        tmp_path / "plugins" / "nothing",
    )


def test_a_program_names_its_steps_and_hears_of_which_invocation_a_request_is(tmp_path: Path, sandbox: Sandbox) -> None:
    passed: list[str] = []
    heard: list[Mapping[str, Any]] = []

    async def stamp(request: Request, send: Send) -> Reply:
        passed.append(request.method)
        return await send(request)

    @plug
    def steps(surroundings: Surroundings) -> Mapping[str, Step]:
        return {"stamp": stamp}

    @plug
    def observe(event: str, facts: Mapping[str, Any]) -> None:
        heard.append({"event": event, **facts})

    mine = SimpleNamespace(steps=steps, observe=observe)
    world = World(tmp_path, plugs=(mine,), steps=("retry", "stamp", "request_log"))
    world.add(sandbox.base)
    passed.clear()
    result = world.run("list_users", {})
    assert passed == ["GET"]
    sent = [facts for facts in heard if facts["event"] == "request.sent"]
    assert [facts["invocation"] for facts in sent] == [result.invocation_id]
    assert App(Configuration(steps=("stamp",))).settings.steps == ["stamp"]


def test_a_step_that_is_not_there_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_host(Configuration(home=tmp_path, steps=("retry", "stemp"))):
            pass

    with pytest.raises(BadSetting, match="no step 'stemp'"):
        anyio.run(main)


def test_a_generator_is_told_all_about_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "connector_host", "plugins", "show", "pagerduty", "--output", "json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    manifest = App().plugins.plugin("pagerduty")
    assert document["description"] == manifest.description
    assert document["presets"]["region"]["EU"]
    assert document["commands"].keys() == manifest.commands.keys()
    for name, shown in document["commands"].items():
        declared = manifest.commands[name]
        for fact in ("read_only", "destructive", "idempotent", "each", "description", "kind", "columns"):
            assert shown[fact] == getattr(declared, fact), (name, fact)
        assert shown["permissions"] == list(declared.permissions)
        assert "deprecated" in shown
        assert shown["input"] == declared.input


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("retention_day: 3", "retention_days"),
        ("date_time: {time_zome: UTC}", "time_zone"),
        ("limits: {input_byte: 1000}", "input_bytes"),
        ("egress: {alowed: [10.0.0.0/8]}", "allowed"),
    ],
)
def test_a_misspelt_key_is_told_with_what_was_meant(tmp_path: Path, text: str, meant: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(BadSetting, match=f"has no setting '.*'. Did you mean '{meant}'?"):
        _ = App(Configuration(home=tmp_path, manifest=tmp_path / "own.yaml")).settings
