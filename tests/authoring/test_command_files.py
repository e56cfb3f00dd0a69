"""Commands and samples in files of their own, and the one form of every manifest."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from connector_host.app import App
from connector_host.authoring.checking import validate
from connector_host.authoring.formatting import LINE, files_of, formatted
from connector_host.configuration import Configuration, bundled

SCHEMAS = bundled() / "schemas"
PLUGINS = sorted(file.parent for file in (bundled() / "plugins").glob("*/manifest.yaml"))
MANIFEST = """\
id: acme
name: Acme
version: 1.0.0
servers: {api: {url: $.connection.url}}
connection: {required: [url], properties: {url: {title: URL, type: string}}}
commands:
  second:
  test_connection:
    title: Test Connection
    kind: test_connection
    request: {server: api, path: /me}
"""
COMMAND = """\
# what the author thinks of it
title: Second
input:
  required: [id]
  properties:
    id: {title: ID, type: string}
request: {server: api, path: "/things/{$.input.id}"}
"""
SAMPLE = """\
- input: {id: "1"}
  http: [{request: GET /things/1, body: {id: "1"}}]
  result: {raw_data: {id: "1"}}
"""


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    folder = tmp_path / "acme"
    for name in ("commands", "samples"):
        (folder / name).mkdir(parents=True)
    (folder / "manifest.yaml").write_text(MANIFEST)
    (folder / "commands" / "second.yaml").write_text(COMMAND)
    (folder / "samples" / "second.yaml").write_text(SAMPLE)
    return folder


def told(folder: Path) -> list[str]:
    return [
        f"{Path(one.path).relative_to(folder)}:{one.line}:{one.column} [{one.rule}]"
        for one in validate(folder, SCHEMAS).problems
        if one.level.value == "error"
    ]


def test_a_command_and_its_samples_stand_beside_the_manifest(acme: Path) -> None:
    manifest = validate(acme, SCHEMAS).manifest
    assert manifest is not None
    assert list(manifest.commands) == ["second", "test_connection"]
    assert [sample.input for sample in manifest.commands["second"].samples] == [{"id": "1"}]


def test_what_is_wrong_is_told_where_it_stands(acme: Path) -> None:
    (acme / "commands" / "second.yaml").write_text(COMMAND.replace("type: string", "type: strin"))
    (acme / "samples" / "second.yaml").write_text(SAMPLE.replace("input:", "inputs:"))
    assert told(acme) == ["commands/second.yaml:6:27 [unknown-value]", "samples/second.yaml:1:3 [unknown-key]"]
    assert validate(acme, SCHEMAS, fix=True).mended == 2
    assert (acme / "commands" / "second.yaml").read_text() == COMMAND
    assert told(acme) == []


def test_a_command_stands_in_one_place(acme: Path) -> None:
    (acme / "manifest.yaml").write_text(MANIFEST.replace("  second:\n", "  second: {title: Here}\n"))
    assert "manifest.yaml:7:3 [command-twice]" in told(acme)
    (acme / "manifest.yaml").write_text(MANIFEST)
    (acme / "samples" / "nobody.yaml").write_text(SAMPLE)
    assert [one.partition("[")[2] for one in told(acme)] == ["command-twice]"]


def test_a_file_that_comes_changes_or_goes_is_seen(acme: Path, tmp_path: Path) -> None:
    configuration = Configuration(home=tmp_path / "home", plugin_folders=(acme,))
    (tmp_path / "home").mkdir()

    def commands() -> list[str]:
        return list(App(configuration).plugins.plugin("acme").commands)

    assert commands() == ["second", "test_connection"]
    third = acme / "commands" / "third.yaml"
    third.write_text(COMMAND.replace("Second", "Third"))
    assert commands() == ["second", "test_connection", "third"]
    third.unlink()
    assert commands() == ["second", "test_connection"]


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_the_bundled_plugins_are_in_the_one_form(folder: Path) -> None:
    for file in files_of(folder):
        text = file.read_text("utf-8")
        assert formatted(text) == text, f"connector-host plugins format {folder}"
        assert max(map(len, text.splitlines())) <= LINE
        assert yaml.safe_load(text)


def test_a_new_plugin_is_in_the_one_form(tmp_path: Path) -> None:
    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "connector_host", "plugins", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert run("new", "fresh", "--no-link").returncode == 0
    done = run("format", "fresh/", "--check")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


LONG = """\
# about all of it
id: acme  # behind it
connection: {required: [url], properties: {url: {title: URL, type: string, description: A server that is rather far away, examples: ["https://a.example"]}}}
# about commands
commands:
  one: {title: One, description: "A sentence that is long enough to need more than one line of a hundred and twenty columns, by far."}
"""


def test_formatting_keeps_comments_and_values_and_changes_nothing_twice() -> None:
    form = formatted(LONG)
    assert formatted(form) == form
    assert yaml.safe_load(form) == yaml.safe_load(LONG)
    assert max(map(len, form.splitlines())) <= LINE
    for comment in ("# about all of it", "# behind it", "# about commands"):
        assert comment in form
    assert "required: [url]" in form, "what fits a line stays in it"
