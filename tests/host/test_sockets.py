"""Strangers come in by the same sockets: plugins, steps, observers and parts from an installed package."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connector_host import BadSetting, Configuration
from connector_host.app import App
from tests.host.test_manifests import CODE, GOOD, write
from tests.world import http, raw_server

PACKAGE = '''
"""A stranger's package."""
from pathlib import Path
from connector_host.crypto.aes_gcm import AesGcm
from connector_host.ports.hookspecs import plug

seen = []

class Loud(AesGcm):
    def __init__(self, surroundings):
        super().__init__(surroundings)
        seen.append("cipher")

async def stamp(request, send):
    seen.append(request.method)
    return await send(request)

@plug
def connectors():
    return [Path(__file__).parent / "acme"]

@plug
def provide():
    return {"cipher": {"loud": "stranger:Loud"}}

@plug
def steps(surroundings):
    return {"stamp": stamp}

@plug
def observe(event, facts):
    seen.append(event)
'''

PROGRAM = """
import json, sys, anyio
from connector_host.model.connection import Change
from connector_host import open_host
import stranger
async def main():
    async with open_host() as opened:
        host = opened.as_operator()
        await host.connections.add("c", "acme", Change(parameters={"url": sys.argv[1]}, secrets={"key": "k" * 20}))
        result = await host.run("acme", "get_thing", "c", {"ids": ["1"]})
        print(json.dumps([result.status, result.raw_data, stranger.seen]))
anyio.run(main)
"""


def test_a_strangers_package_fills_every_socket(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write(site / "acme", GOOD, CODE)
    (site / "stranger.py").write_text(PACKAGE)
    facts = site / "stranger-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[connector_host]\nstranger = stranger\n")
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text("slots: {cipher: loud}\nsteps: [retry, stamp, audit]\n")
    environment = {**os.environ, "PYTHONPATH": str(site), "CONNECTOR_HOST_MANIFEST": str(manifest)}
    with raw_server(http("200 OK", b'{"id": 1}')) as (base, _):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, base], env=environment, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    status, raw, seen = json.loads(done.stdout)
    assert (status, raw) == ("Passed", [{"id": 1}])
    assert [event for event in seen if event != "audit.noted"] == [
        "cipher",
        "connection.added",
        "invocation.started",
        "GET",
        "request.sent",
        "invocation.finished",
    ]


def test_a_plug_without_a_marked_hook_is_refused(tmp_path: Path) -> None:
    class Silent:
        def observe(self, *_: object) -> None:
            raise AssertionError

    with pytest.raises(BadSetting, match=r"type Silent has no hook: mark its methods with `@plug`"):
        App(Configuration(home=tmp_path, plugs=(Silent(),)))
