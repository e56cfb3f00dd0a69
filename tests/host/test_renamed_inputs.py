"""An input that got another name is still taken by its old one, with a note; and may be called as Python would not."""

import json
import subprocess
import sys
from pathlib import Path

from connector_host.model.result import Status
from tests.echo import echo_server
from tests.own import own, run

COMMANDS = """\
  send:
    title: Send
    input:
      required: [class]
      properties:
        class: {title: Class, was: kind, type: string}
        from: {title: From, was: sender, type: string}
  declared:
    title: Declared
    input: {properties: {from: {title: From, was: sender, type: string}}}
    request: {server: api, path: /things, query: {from: $.input.from}}
"""
CODE = """
@command
def send(call, class_, from_=None):
    return {"class": class_, "from": from_}
"""


def test_both_names_are_taken_and_the_old_one_with_a_note(tmp_path: Path) -> None:
    world = own(tmp_path, COMMANDS, code=CODE)
    new = run(world, "send", {"class": "a", "from": "b"})
    old = run(world, "send", {"kind": "a", "sender": "b"})
    assert new.raw_data == old.raw_data == {"class": "a", "from": "b"}
    assert new.notes == ()
    assert old.notes == ("The input kind is called class now.", "The input sender is called from now.")
    twice = run(world, "send", {"class": "a", "kind": "a"})
    assert twice.status is Status.FAILED
    assert "given twice" in twice.errors[0].detail
    [record, *_] = world.use(lambda host: host.history())
    assert json.loads(record.inputs) == {"class": "a", "from": "b"}


def test_a_declared_command_takes_them_too(tmp_path: Path) -> None:
    with echo_server() as base:
        world = own(tmp_path, COMMANDS, base, code=CODE)
        assert run(world, "declared", {"sender": "ada"}).raw_data["query"] == "from=ada"


def test_the_command_line_takes_them_too(tmp_path: Path) -> None:
    world = own(tmp_path, COMMANDS, code=CODE)
    where = {
        "CONNECTOR_HOST_HOME": str(world.home),
        "CONNECTOR_HOST_MANIFEST": str(tmp_path / "manifest.yaml"),
        "PATH": "",
    }

    def send(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "connector_host", "test-command", "acme", "send", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=where)

    for flags in (("--class", "a", "--from", "b"), ("--kind", "a", "--sender", "b")):
        done = send("--connection", "own", *flags, "--output", "json")
        assert json.loads(done.stdout)["raw_data"] == {"class": "a", "from": "b"}, done.stderr
    help_text = send("--help").stdout
    assert "--class" in help_text
    assert "--kind" not in help_text
