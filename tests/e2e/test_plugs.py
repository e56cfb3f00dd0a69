"""What is plugged into the host: one that fails is asked once, named, and harms no other."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pluggy
import pytest

from connector_host import Configuration
from connector_host.app import App
from connector_host.ports.hookspecs import PROJECT

plug = pluggy.HookimplMarker(PROJECT)


def test_a_plug_that_fails_is_asked_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    def provide() -> Mapping[str, Mapping[str, str]]:
        asked.append("provide")
        raise SystemExit("the whole host")

    app = App(Configuration(home=tmp_path, plugs=(SimpleNamespace(provide=plug(provide)),)))
    for _ in range(2):
        assert "pagerduty" in app.plugins.plugins
        assert "sqlite" in app._parts.offers("store")
    assert asked == ["provide"]
    assert "SystemExit: the whole host" in caplog.text


def test_an_unknown_transport_is_told_and_not_tried(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.own import HEAD, own, run

    head = HEAD.replace("servers: {api: {", "servers: {api: {transport: htpx, ")
    world = own(tmp_path, "  go: {title: Go, request: {server: api, path: /x}}\n", head=head)
    [entry] = run(world, "go").errors
    assert (entry.message, entry.assistance) == ("There is no transport 'htpx'.", "The host has: httpx2, lean.")
    manifest = tmp_path / "other.yaml"
    manifest.write_text("plugins: [acme]\nslots: {transport: foo}\n")
    command = [sys.executable, "-m", "connector_host", "test-command", "acme", "go", "--connection", "own"]
    environment = {"CONNECTOR_HOST_HOME": str(world.home), "CONNECTOR_HOST_MANIFEST": str(manifest), "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "cannot be filled with 'foo'. There are: httpx2, lean" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_kit_answers_for_every_transport(tmp_path: Path) -> None:
    from connector_host.authoring.kit.kit import run_kit
    from connector_host.authoring.scaffold import scaffold

    scaffold("acme", tmp_path / "acme", None)
    file = tmp_path / "acme" / "manifest.yaml"
    text = file.read_text()
    assert "  api:\n" in text
    file.write_text(text.replace("  api:\n", "  api:\n    transport: httpx2\n", 1))
    assert [check for check in run_kit(tmp_path / "acme").checks if check.outcome == "failed"] == []
