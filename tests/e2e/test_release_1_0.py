"""What release 1.0 wrote: a data folder, its keys, its audit, an export and plugins open, verify, run and import."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector_host.model.audit import AuditHead
from connector_host.model.connection import Change
from connector_host.model.result import Status
from tests.world import API_KEY, INTEGRATION_KEY, FastClock, Sandbox, World, http, pagerduty_sandbox, raw_server

MADE = Path(__file__).resolve().parents[1] / "data" / "release_1_0"
FACTS = json.loads((MADE / "facts.json").read_text("utf-8"))
MOVING = {"health", "state", "plugin_version"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """PagerDuty's stand-in that takes the one API key only."""
    with pagerduty_sandbox(api_key=API_KEY) as served:
        yield served


@pytest.fixture
def old(tmp_path: Path, clock: FastClock) -> World:
    shutil.copytree(MADE / "home", tmp_path / "home")
    (tmp_path / "home" / "master.key").chmod(0o600)
    return World(tmp_path / "home", clock=clock)


def shown(world: World, name: str) -> dict[str, Any]:
    document: dict[str, Any] = world.use(lambda host: host.connections.show(name))
    return {key: value for key, value in document.items() if key not in MOVING}


def test_its_connections_are_shown_as_it_showed_them(old: World) -> None:
    for name, part in (("prod", "connection"), ("corp-vault", "vault"), ("looked-up", "looked_up")):
        expected = {key: value for key, value in FACTS[part].items() if key not in MOVING}
        expected |= {"secrets": masked(expected["secrets"]), "version": expected["version"] + 1, "allowed_paths": []}
        assert shown(old, name) == expected


def masked(secrets: dict[str, str]) -> dict[str, str]:
    """As they are shown now: of a long secret the end alone."""
    return {name: f"************{text[16:]}" for name, text in secrets.items()}


def test_its_secrets_open_and_go_on_opening_after_a_rotation(old: World, sandbox: Sandbox) -> None:
    old.point_to(sandbox.base)
    assert old.run("list_users").status is Status.PASSED
    assert old.run("create_event", {"summary": "s", "severity": "Info", "source": "s"}).status is Status.PASSED
    old.use(lambda host: host.keys.rotate())
    old.use(lambda host: host.keys.retire())
    assert old.run("list_users").status is Status.PASSED
    assert shown(old, "prod")["secrets"] == masked(FACTS["connection"]["secrets"])


def test_a_secret_that_is_an_object_opens_whole(old: World) -> None:
    """One of its headers holds what a header cannot carry: whoever opens it says so."""
    change = Change({"active": True}, {"server_url": "http://127.0.0.1:1"})
    old.use(lambda host: host.connections.edit("corp-vault", change))
    [entry] = old.use(lambda host: host.test("corp-vault")).errors
    assert "header X-N" in entry.message


@pytest.mark.filterwarnings("ignore:@command:DeprecationWarning")
def test_what_is_no_text_in_a_secret_comes_back_as_it_was(old: World, tmp_path: Path) -> None:
    world = World(old.home, plugin_folders=(MADE / "plugins" / "legacy",))
    result = world.use(lambda host: host.run("legacy", "tell_extra", "odd"))
    assert result.raw_data == {"yes": True, "none": None, "n": 1.5}


def test_its_audit_verifies_and_goes_on(old: World) -> None:
    async def verified(host: Any) -> Any:
        return await host.audit.verify()

    number, _, digest = FACTS["audit_head"].partition(":")
    noted = AuditHead(int(number), digest)
    before = old.use(lambda host: host.audit.verify(noted))
    assert (before.records, before.problems) == (FACTS["records"] + 6, ()), "each connection was signed, and the sites"
    old.use(lambda host: host.connections.edit("prod", Change({"description": "new"})))
    after = old.use(verified)
    assert (after.records, after.problems) == (before.records + 1, ())


def test_its_history_and_its_intake_are_read(old: World, sandbox: Sandbox) -> None:
    records = old.use(lambda host: host.history(50))
    kept = {record["invocation_id"]: record for record in FACTS["history"]}
    for record in records:
        for part in ("plugin", "command", "connection", "caller", "status", "started_at", "inputs", "error", "result"):
            assert getattr(record, part) == kept[record.invocation_id][part]
    assert len(records) == len(kept) >= 4
    taken = old.use(lambda host: host.ingested("fetch_incident", "prod", 3))
    assert [(one.unique_key, one.raw, one.mapped, one.site) for one in taken] == [
        (one["unique_key"], one["raw"], one["mapped"], one["site"]) for one in FACTS["intake"]
    ]


def test_its_export_is_imported_with_its_secrets(tmp_path: Path, clock: FastClock, sandbox: Sandbox) -> None:
    other = World(tmp_path / "other", clock=clock)

    async def fill(host: Any) -> Any:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_tenant("acme")
        await host.sites.put_site("hq")
        document = yaml.safe_load((MADE / "export.yaml").read_text("utf-8"))
        return await host.transfer.take(document, private_key=(MADE / "private.pem").read_bytes())

    assert [one.error for one in other.use(fill)] == [""]
    other.point_to(sandbox.base)
    assert other.run("list_users").status is Status.PASSED
    assert shown(other, "prod")["secrets"]["integration_key"].endswith(INTEGRATION_KEY[-4:])


@pytest.mark.filterwarnings("ignore:@command:DeprecationWarning")
@pytest.mark.parametrize("plugin", ["acme", "legacy"])
def test_its_plugins_load_and_run(tmp_path: Path, clock: FastClock, plugin: str) -> None:
    shutil.copytree(MADE / "plugins", tmp_path / "plugins")
    world = World(tmp_path / "home", clock=clock, plugin_folders=(tmp_path / "plugins" / plugin,))
    secret = {"acme": "api_key", "legacy": "key"}[plugin]
    with raw_server(http("200 OK", b'{"id": "1"}')) as (base, received):
        change = Change(parameters={"server_url": base}, secrets={secret: "k" * 20})
        world.use(lambda host: host.connections.add("own", plugin, change))
        calls: dict[str, tuple[str, dict[str, Any]]] = {
            "acme": ("get_ticket", {"ticket_ids": ["1"]}),
            "legacy": ("read_things", {"ids": ["1"], "sender": "ada"}),
        }
        command, inputs = calls[plugin]
        result = world.use(lambda host: host.run(plugin, command, "own", inputs))
        assert (result.status, result.raw_data) == (Status.PASSED, [{"id": "1"}]), result.errors
    assert received[0].startswith({"acme": b"GET /tickets/1 ", "legacy": b"GET /things/1?from=ada "}[plugin])
