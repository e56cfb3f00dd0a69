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
