"""What is plugged into the host: one that fails is asked once, named, and harms no other."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pluggy
import pytest

from connector_host import Configuration
from connector_host.app import Joiner
from connector_host.contract.hooks import PROJECT

plug = pluggy.HookimplMarker(PROJECT)


def test_a_plug_that_fails_is_asked_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    def provide() -> Mapping[str, Mapping[str, str]]:
        asked.append("provide")
        raise SystemExit("the whole host")

    joiner = Joiner(Configuration(home=tmp_path, plugs=(SimpleNamespace(provide=plug(provide)),)))
    for _ in range(2):
        assert "pagerduty" in joiner.catalogue.plugins
        assert joiner.surface("cli") is not None
    assert asked == ["provide"]
    assert "SystemExit: the whole host" in caplog.text
