"""What the documents say, works: the README's tour is run as written, its examples load, nothing is left out."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host.app import App
from connector_host.configuration import Configuration, bundled

ROOT = bundled()
README = ROOT / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="the documents stand in the checkout only")


def blocks(language: str, file: Path = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", file.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_the_tour_runs_as_written(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    steps = re.findall(r"^```sh tour( exit=3)?\n(.*?)^```", README.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(steps) == 3
    lines = ["set -e", "trap 'kill %1' EXIT"]
    for partial, written in steps:
        step = written.replace("8765", port).replace(
            "&\n", f"&\nuntil (echo > /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done\n"
        )
        lines.append(f"set +e\n{step}test $? = 3 || exit 1\nset -e" if partial else step)
    environment = {
        **os.environ,
        "CONNECTOR_HOST_HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-m", "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for words in ("Test Connection: Passed", '"status":"Passed"', "Get User Contact Methods: Partially Successful"):
        assert words in done.stdout


def test_the_embedding_example_runs(tmp_path: Path, sandbox: Any, world: Any) -> None:
    world.add(sandbox.base, "lab")
    [code] = blocks("python")
    environment = {**os.environ, "CONNECTOR_HOST_HOME": str(world.home)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "Passed {'UserIDs': ['PU00001']}\n"


def test_the_plugin_example_loads(tmp_path: Path) -> None:
    from connector_host.manifests.structuring import load_manifest

    [manifest] = blocks("yaml")
    (tmp_path / "manifest.yaml").write_text(manifest)
    assert list(load_manifest(tmp_path, ROOT / "schemas").commands) == ["get_ticket"]


def test_python_in_the_documents_is_python() -> None:
    found = [block for file in (ROOT / "docs").rglob("*.md") for block in blocks("python", file)]
    assert len(found) >= 4
    for block in found:
        ast.parse(block)


def test_every_link_leads_somewhere() -> None:
    for file in [README, *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", file.read_text("utf-8")):
            if "://" not in target:
                assert (file.parent / target).exists(), f"{file.name}: {target}"


def all_documents() -> str:
    return "\n".join(file.read_text("utf-8") for file in [README, *(ROOT / "docs").rglob("*.md")])


def test_every_command_of_the_command_line_is_documented() -> None:
    import click

    from connector_host.cli.main import program

    text = all_documents()
    for name in program.list_commands(click.Context(program)):
        assert f"connector-host {name}" in text, name
        command = program.get_command(click.Context(program), name)
        if isinstance(command, click.Group) and command.commands:
            for sub in command.commands:
                assert f"connector-host {name} {sub}" in text, f"{name} {sub}"


def test_every_socket_port_error_and_manifest_key_is_documented() -> None:
    import inspect
    import json

    from connector_host.model import errors
    from connector_host.ports import calls, hookspecs, parts, stores

    text = all_documents()
    names = [name for name, one in vars(errors).items() if inspect.isclass(one) and issubclass(one, Exception)]
    names += [name for name, one in vars(hookspecs).items() if hasattr(one, "connector_host_spec")]
    names += [
        name
        for module in (calls, parts, stores)
        for name, one in vars(module).items()
        if getattr(one, "_is_protocol", False) and one.__module__ == module.__name__
    ]
    schema = json.loads((ROOT / "schemas" / "plugin-manifest.schema.json").read_text("utf-8"))
    names += [
        f"`{name}"
        for part in (
            schema,
            schema["$defs"]["command"],
            schema["$defs"]["server"],
            schema["$defs"]["command"]["properties"]["request"],
            schema["$defs"]["paging"],
        )
        for name in part["properties"]
    ]
    missing = [name for name in names if name not in text]
    assert missing == []


def test_every_public_name_is_documented() -> None:
    import connector_host

    text = all_documents()
    assert [name for name in connector_host.__all__ if name not in text] == []


def test_every_test_that_the_documents_name_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`(?:, `…::(\w+)`)?", all_documents())
    assert len(named) > 20
    for file, *tests in named:
        text = (ROOT / file).read_text("utf-8")
        for test in filter(None, tests):
            assert f"def {test}(" in text, f"{file}::{test}"


def test_the_table_of_rights_is_the_one_in_force() -> None:
    from connector_host.host.access import RULES, Right

    words = {frozenset(Right): "all", frozenset({Right.USE}): "use", frozenset[Right](): "-"}
    text = (ROOT / "docs" / "howto" / "connections.md").read_text("utf-8")
    section = text.partition("| where the caller stands |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[2:6]] for line in section.splitlines()[2:]]
    assert rows == [[words[granted] for granted in row.values()] for row in RULES.values()]


def test_the_own_host_manifest_of_the_how_to_is_one(tmp_path: Path) -> None:
    [written] = blocks("yaml", ROOT / "docs" / "howto" / "host-manifest.md")
    (tmp_path / "manifest.yaml").write_text(written)
    settings = App(Configuration(home=tmp_path, manifest=tmp_path / "manifest.yaml")).settings
    assert settings.date_time.time_zone == "Europe/Berlin"
    assert settings.date_time.format == "%Y-%m-%d %H:%M"
    assert len(settings.plugins) == 6


def test_each_message_of_the_trouble_page_is_one_of_ours() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    messages = re.findall(r"^\| `(.+?)` \|", page, flags=re.MULTILINE)
    assert len(messages) > 8
    folders = (ROOT / "connector_host", ROOT / "plugins")
    source = "".join(file.read_text("utf-8") for folder in folders for file in folder.rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", source).replace("{what}", "does not say that the event was taken")
    assert [words for words in messages if words not in joined] == []
