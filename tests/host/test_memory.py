"""What is remembered of manifests is trusted only while every file it was made of is the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector_host.app import App
from connector_host.configuration import Configuration
from connector_host.manifests.registry import PluginRegistry
from tests.host.test_manifests import CODE, GOOD, write


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    write(tmp_path / "acme", GOOD.replace("    title: Do Thing", "    title: Do Thing\n    output: {$ref: out.json}"))
    (tmp_path / "acme" / "out.json").write_text('{"type": "object"}')
    (tmp_path / "manifest.yaml").write_text("plugins: [acme]\n")
    (tmp_path / "home").mkdir()
    return Configuration(home=tmp_path / "home", manifest=tmp_path / "manifest.yaml")


def registry(configuration: Configuration) -> PluginRegistry:
    return App(configuration).plugins


def test_what_is_known_is_the_same_as_what_is_read(configuration: Configuration) -> None:
    first, second = registry(configuration), registry(configuration)
    assert first.plugins == second.plugins
    assert list((configuration.resolved_home() / "cache").iterdir())


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("manifest.yaml", "id: [", "not YAML"),
        ("commands.py", CODE.replace("count=1", "amount=1"), "differ"),
        ("out.json", "{", "out.json"),
    ],
)
def test_a_changed_file_is_read_again(
    configuration: Configuration, tmp_path: Path, name: str, text: str, words: str
) -> None:
    assert registry(configuration).broken == {}
    (tmp_path / "acme" / name).write_text(text)
    assert words in registry(configuration).broken["acme"].reason


def test_a_changed_host_manifest_is_read_again(configuration: Configuration, tmp_path: Path) -> None:
    assert list(registry(configuration).plugins) == ["acme"]
    (tmp_path / "manifest.yaml").write_text("plugins: []\n")
    assert list(registry(configuration).plugins) == []


def test_a_file_taken_away_is_noticed(configuration: Configuration, tmp_path: Path) -> None:
    assert registry(configuration).broken == {}
    (tmp_path / "acme" / "commands.py").unlink()
    assert "neither a request nor a function" in registry(configuration).broken["acme"].reason


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"made_by": [1], "files": 7, "value": 1}'])
def test_damaged_memory_is_ignored(configuration: Configuration, content: bytes) -> None:
    registry(configuration)
    for file in (configuration.resolved_home() / "cache").iterdir():
        file.write_bytes(content)
    assert list(registry(configuration).plugins) == ["acme"]


def test_looking_makes_no_data_folder(configuration: Configuration, tmp_path: Path) -> None:
    elsewhere = Configuration(home=tmp_path / "none", manifest=configuration.manifest)
    assert registry(elsewhere).plugins
    assert not (tmp_path / "none").exists()


def test_a_cache_of_another_format_is_read_anew(configuration: Configuration) -> None:
    """What another release kept may mean something else: here it would give the plugin another name."""
    assert list(registry(configuration).plugins) == ["acme"]
    for file in (configuration.resolved_home() / "cache").iterdir():
        kept = json.loads(file.read_bytes())
        kept["made_by"][0] += 1
        file.write_text(json.dumps(kept).replace('"Acme"', '"Impostor"'))
    program = (
        "import sys, pathlib; from connector_host.app import App; from connector_host import Configuration; "
        "print(App(Configuration(home=pathlib.Path(sys.argv[1]), manifest=pathlib.Path(sys.argv[2]))).plugins.plugin('acme').name)"
    )
    command = [sys.executable, "-c", program, str(configuration.home), str(configuration.manifest)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "Acme", done.stderr
