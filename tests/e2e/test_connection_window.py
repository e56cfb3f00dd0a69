"""The specification's connection window, field by field: what each does, and what it refuses."""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from connector_host.model.caller import Caller
from connector_host.model.connection import Change, HealthCheck, Selection, State, VaultReference
from connector_host.model.errors import ConnectionChanged, WrongUse
from connector_host.model.result import Status
from tests.world import API_KEY, INTEGRATION_KEY, FastClock, Sandbox, World, opened, pagerduty_sandbox

SEVERAL = ["a", "b", "c"]


def edit(world: World, name: str = "prod", **fields: Any) -> Any:
    return world.use(lambda host: host.connections.edit(name, Change(fields)))


def test_an_inactive_connection_refuses_what_is_queued_already(tmp_path: Path, clock: FastClock) -> None:
    """Calls wait for their place under the rate limit; another program makes the connection inactive meanwhile."""
    world = World(tmp_path / "home", clock=clock)
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base, parameters={"rest_requests_per_minute": 3})
        sleep = clock.sleep
        other = World(world.home)

        async def sleep_and_deactivate(seconds: float) -> None:
            thread = threading.Thread(target=lambda: edit(other, active=False))
            thread.start()
            thread.join()
            await sleep(seconds)

        clock.sleep = sleep_and_deactivate  # type: ignore[method-assign]
        result = world.run("get_user_contact_methods", {"user_ids": [f"PU0000{number}" for number in range(6)]})
        assert result.status is Status.PARTIAL
        assert len(sandbox.requests) == 3
        assert {entry.message for entry in result.errors} == {"The connection 'prod' is not active."}


def test_a_removed_connection_refuses_what_is_queued_already(prod: World, sandbox: Sandbox) -> None:
    async def work(host: Any) -> Any:
        stored = await host._core.store.connections.get("prod")
        await host.connections.remove("prod")
        return await host.health._run_test(stored)

    [entry] = prod.use(work).errors
    assert "is not active" in entry.message
    assert sandbox.requests == []


def test_an_agent_that_nobody_provides_is_a_clear_failure(prod: World, sandbox: Sandbox) -> None:
    edit(prod, agent="far-away")
    result = prod.run("list_users")
    assert (result.status, result.errors[0].message) == (
        Status.FAILED,
        "The connection 'prod' runs through the agent 'far-away', and there is no agent of that name.",
    )
    assert sandbox.requests == []
    edit(prod, agent=None)
    assert prod.run("list_users").status is Status.PASSED


AGENT = """
from connector_host.model.authoring import Item


class Far:
    def __init__(self, surroundings):
        pass

    def prepare(self, command, opened):
        async def run(invocation, output):
            output.add(Item(None, {"users": [], "ran_at": "far-away", "command": command.id}))

        return run

    async def close(self):
        pass
"""


def test_an_agent_that_is_provided_carries_the_command_out(
    prod: World, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import types

    from connector_host.app import App
    from connector_host.ports.hookspecs import plug

    (tmp_path / "far_agent.py").write_text(AGENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    package = types.SimpleNamespace(provide=plug(lambda: {"agent": {"far-away": "far_agent:Far"}}))
    edit(prod, agent="far-away")

    async def work() -> Any:
        joiner = App(replace(prod.configuration, plugs=(package,)))
        async with joiner.open() as host:
            return await host.as_operator().run("pagerduty", "get_all_schedules", "prod")

    import anyio

    result = anyio.run(work)
    assert result.context_data == [{"users": [], "ran_at": "far-away", "command": "get_all_schedules"}]
    assert sandbox.requests == []


def test_editing_one_secret_leaves_the_others(prod: World) -> None:
    prod.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": "another-key-another-key"})))

    assert prod.use(lambda host: opened(host, "prod")) == {
        "api_key": "another-key-another-key",
        "integration_key": INTEGRATION_KEY,
    }


def test_concurrent_edits_are_never_lost(prod: World) -> None:
    """Twenty programs' worth of edits at once: each is kept, or told that it was not."""

    async def work(host: Any) -> list[Any]:
        import anyio

        told: list[Any] = []

        async def one(number: int) -> None:
            other = World(prod.home)
            try:
                await anyio.to_thread.run_sync(lambda: edit(other, description=f"edit {number}"))
                told.append(number)
            except ConnectionChanged:
                pass

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(one, number)
        return [len(told), (await host.connections.show("prod"))["version"]]

    kept, version = prod.use(work)
    assert version == kept + 1


def test_a_copy_has_secrets_of_its_own(prod: World) -> None:
    prod.use(lambda host: host.connections.copy("prod", "twin", Change({"description": "A copy"})))
    prod.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": "changed-later-on"})))
    twin = prod.use(lambda host: host.connections.show("twin"))
    assert (twin["description"], twin["version"]) == ("A copy", 1)
    assert twin["secrets"]["api_key"] == "************bgRQ"
    prod.use(lambda host: host.connections.remove("prod"))
    assert prod.use(lambda host: host.run("pagerduty", "list_users", "twin")).status is Status.PASSED
    with pytest.raises(WrongUse, match="exists already"):
        prod.use(lambda host: host.connections.copy("twin", "twin"))


def test_a_renamed_connection_keeps_its_history_and_its_secrets(prod: World) -> None:
    prod.run("list_users")
    prod.use(lambda host: host.connections.edit("prod", Change({"name": "main"})))
    assert prod.use(lambda host: host.run("pagerduty", "list_users", "main")).status is Status.PASSED
    assert len(prod.use(lambda host: host.history(10, "main"))) == 2


def test_many_are_edited_each_by_itself(prod: World, sandbox: Sandbox) -> None:
    for name in SEVERAL:
        prod.add(sandbox.base, name, description="before")
    selection = Selection(plugin="pagerduty", name="[a-c]")
    outcomes = prod.use(lambda host: host.connections.edit_many(selection, Change({"description": "after"})))
    assert [(one.name, one.error) for one in outcomes] == [(name, "") for name in SEVERAL]
    outcomes = prod.use(lambda host: host.connections.edit_many(selection, Change({}, {}, {}, ("api_key",))))
    assert all("API Key" in one.error for one in outcomes)
    listed = prod.use(lambda host: host.connections.list())
    assert [one.connection.description for one in listed] == ["after", "after", "after", ""]


def test_the_filters_of_the_list_and_the_states_agree(prod: World, sandbox: Sandbox) -> None:
    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_site("hq")
        parameters = {"server_url": sandbox.base, "event_url": sandbox.base}
        for name, fields, key in (
            ("good", {"site": "hq"}, API_KEY),
            ("bad", {}, "a-key-that-is-wrong"),
            ("off", {"active": False}, API_KEY),
            ("quiet", {"shared_to_internal_sites": True, "recipient_site": "hq"}, API_KEY),
        ):
            await host.connections.add(name, "pagerduty", Change(fields, parameters, {"api_key": key}))
        vault = Change(parameters={"server_url": sandbox.base})
        await host.connections.add("vault", "rest_vault", vault)
        await host.test("good")
        sandbox.options["api_key"] = API_KEY
        await host.test("bad")
        await host.test("vault")

    prod.use(fill)

    def names(**filters: Any) -> list[str]:
        found = prod.use(lambda host: host.connections.list(Selection(**filters)))
        for one in found:
            assert filters.get("state") in (None, one.state)
        return [one.connection.name for one in found]

    assert names(plugin="rest_vault") == ["vault"]
    assert names(site="hq") == ["good", "quiet"]
    assert names(active=False) == ["off"]
    assert names(name="*d") == ["bad", "good", "prod"]
    assert names(after="good", limit=2) == ["off", "prod"]
    by_state = {state: names(state=state) for state in State}
    assert by_state == {
        State.DAMAGED: [],
        State.INACTIVE: ["off"],
        State.ATTENTION: ["bad"],
        State.FAILING: ["vault"],
        State.HEALTHY: ["good"],
        State.UNTESTED: ["prod", "quiet"],
    }


def rows(world: World) -> dict[str, list[Any]]:
    """All that is stored, but for the requests taken of a rate limit, which any test counts in."""
    with sqlite3.connect(world.home / "connector-host.db") as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        return {name: database.execute(f"select * from {name}").fetchall() for name in names if name != "rate_lease"}


def test_unsaved_edits_are_tested_with_the_stored_secrets_and_store_nothing(prod: World, sandbox: Sandbox) -> None:
    sandbox.options["api_key"] = API_KEY
    before = rows(prod)
    assert prod.use(lambda host: host.test_edit("prod", Change({"description": "x"}))).status is Status.PASSED
    wrong = Change(secrets={"api_key": "wrong-key-wrong-key"})
    assert prod.use(lambda host: host.test_edit("prod", wrong)).status is Status.FAILED
    edit_off = Change({"active": False})
    assert prod.use(lambda host: host.test_edit("prod", edit_off)).status is Status.PASSED
    assert rows(prod) == before
    assert prod.use(lambda host: host.connections.show("prod"))["state"] == "untested"
    assert prod.use(lambda host: host.history()) == []


def test_a_draft_makes_no_master_key(tmp_path: Path, sandbox: Sandbox) -> None:
    world = World(tmp_path / "home")
    parameters = {"server_url": sandbox.base, "event_url": sandbox.base}
    change = Change(parameters=parameters, secrets={"api_key": API_KEY})
    assert world.use(lambda host: host.test_draft("new", "pagerduty", change)).status is Status.PASSED
    assert not (world.home / "master.key").exists()


def test_a_plain_value_takes_the_place_of_a_reference_and_the_other_way_round(prod: World) -> None:
    prod.use(
        lambda host: host.connections.add("v", "rest_vault", Change(parameters={"server_url": "https://v.example"}))
    )
    reference = VaultReference("v", "a/b", "c")
    both = {"api_key": reference, "default_from": reference}
    prod.use(lambda host: host.connections.edit("prod", Change(vault=both)))
    shown = prod.use(lambda host: host.connections.show("prod"))
    assert (set(shown["vault"]), set(shown["secrets"])) == ({"api_key", "default_from"}, {"integration_key"})
    assert "default_from" not in shown["parameters"]
    twice = Change(secrets={"api_key": API_KEY}, vault={"api_key": reference})
    with pytest.raises(WrongUse, match="'api_key' is given, and to be looked up"):
        prod.use(lambda host: host.connections.edit("prod", twice))
    back = Change(parameters={"default_from": "a@example.com"}, secrets={"api_key": API_KEY})
    prod.use(lambda host: host.connections.edit("prod", back))
    shown = prod.use(lambda host: host.connections.show("prod"))
    assert (shown["vault"], set(shown["secrets"])) == ({}, {"api_key", "integration_key"})
    prod.use(lambda host: host.connections.edit("prod", Change(vault={"integration_key": reference})))
    prod.use(lambda host: host.connections.edit("prod", Change(vault={"integration_key": None})))
    assert prod.use(lambda host: host.connections.show("prod"))["vault"] == {}
    with pytest.raises(WrongUse, match="api_key"):
        prod.use(
            lambda host: host.connections.edit("prod", Change(remove_secrets=("api_key",), vault={"apikey": reference}))
        )


PLUGIN = {
    "id": "acme",
    "name": "Acme",
    "version": "1.0.0",
    "servers": {"api": {"url": "$.connection.url", "headers": {"Authorization": "Token token={$.connection.key}"}}},
    "connection": {
        "required": ["url", "key"],
        "properties": {
            "url": {"title": "URL", "type": "string"},
            "key": {"title": "Key", "type": "string", "writeOnly": True},
            "old": {"title": "Old", "type": "string"},
            "pin": {"title": "Pin", "type": "string"},
        },
    },
    "commands": {"ping": {"title": "Ping", "kind": "test_connection", "request": {"server": "api", "path": "/users"}}},
}


def acme_host(folder: Path, **changes: Any) -> Path:
    """A host manifest with the plugin Acme, changed."""
    (folder / "acme").mkdir(exist_ok=True)
    (folder / "acme" / "manifest.yaml").write_text(yaml.safe_dump({**PLUGIN, **changes}, sort_keys=False))
    (folder / "host.yaml").write_text(yaml.safe_dump({"steps": ["retry", "limit", "audit"], "plugins": ["acme"]}))
    return folder / "host.yaml"


def test_a_new_version_of_a_plugin_migrates_its_connections(tmp_path: Path, sandbox: Sandbox) -> None:
    world = World(tmp_path / "home", manifest=acme_host(tmp_path))
    parameters = {"url": sandbox.base, "old": "x", "pin": "a-pin-of-eight"}
    world.use(lambda host: host.connections.add("c", "acme", Change(parameters=parameters, secrets={"key": "k" * 20})))
    properties = {
        "base_url": {"title": "Base URL", "type": "string"},
        "api_key": {"title": "API Key", "type": "string", "writeOnly": True},
        "pin": {"title": "Pin", "type": "string", "writeOnly": True},
        "zone": {"title": "Zone", "type": "string"},
    }
    newer = {
        "version": "2.0.0",
        "servers": {"api": {"url": "$.connection.base_url", "headers": {"Authorization": "Token token={$.connection.api_key}"}}},
        "connection": {"required": ["base_url", "api_key", "zone"], "properties": properties},
        "migrations": [
            {"version": "1.5.0", "rename": {"url": "base_url"}, "remove": ["old"]},
            {"version": "2.0.0", "rename": {"key": "api_key"}, "set": {"zone": "north"}},
        ],
    }  # fmt: skip
    acme_host(tmp_path, **newer)
    assert world.use(lambda host: host.test("c")).status is Status.PASSED  # as it is, without being saved
    shown = world.use(lambda host: host.connections.show("c"))
    assert shown["plugin_version"] == "1.0.0"
    assert "a-pin-of-eight" not in json.dumps(shown)  # a secret by now
    assert [one.error for one in world.use(lambda host: host.connections.upgrade())] == [""]
    shown = world.use(lambda host: host.connections.show("c"))
    assert (shown["plugin_version"], shown["parameters"]) == ("2.0.0", {"base_url": sandbox.base, "zone": "north"})
    assert shown["secrets"] == {"api_key": "************kkkk", "pin": "************"}
    assert world.use(lambda host: host.connections.upgrade()) == []
    assert world.use(lambda host: host.test("c")).status is Status.PASSED


def test_a_connection_that_does_not_suit_a_new_version_is_flagged_and_kept(tmp_path: Path, sandbox: Sandbox) -> None:
    world = World(tmp_path / "home", manifest=acme_host(tmp_path))
    change = Change(parameters={"url": sandbox.base}, secrets={"key": "k" * 20})
    world.use(lambda host: host.connections.add("c", "acme", change))
    connection: Any = {**PLUGIN["connection"], "required": ["url", "key", "pin"]}  # type: ignore[dict-item]
    acme_host(tmp_path, version="1.1.0", connection=connection)
    [entry] = world.use(lambda host: host.test("c")).errors
    assert "(made for version 1.0.0) does not suit Acme 1.1.0" in entry.message
    assert "parameter (Pin) is invalid" in entry.message
    [outcome] = world.use(lambda host: host.connections.upgrade())
    assert "Pin" in outcome.error
    shown = world.use(lambda host: host.connections.show("c"))
    assert (shown["state"], shown["version"]) == ("needs attention", 1)
    world.use(lambda host: host.connections.edit("c", Change(parameters={"pin": "1"})))
    assert world.use(lambda host: host.test("c")).status is Status.PASSED


def test_the_bundle_for_support_holds_no_secret(prod: World, sandbox: Sandbox) -> None:
    prod.run("list_users", {"query": API_KEY})
    edit(prod, description=f"the key is {API_KEY}", health_check=HealthCheck(5))
    bundle = prod.use(lambda host: host.diagnose("prod"))
    assert set(bundle) == {"connection.json", "plugin.json", "history.json", "audit.json", "host.json"}
    text = json.dumps(bundle)
    assert API_KEY not in text
    assert INTEGRATION_KEY not in text
    assert [one["action"] for one in bundle["audit.json"]] == [
        "connection.changed",
        "invocation.finished",
        "connection.added",
    ]
    assert bundle["history.json"][0]["command"] == "list_users"


def test_without_sites_users_and_groups_alone_decide(prod: World) -> None:
    """A caller of a host without sites: what names nobody is everyone's, what names users is theirs."""
    ann, bob = Caller("ann"), Caller("bob", ("soc",))
    for fields, who, fits in (
        ({}, ann, True),
        ({"allowed_users": ("bob",)}, ann, False),
        ({"allowed_users": ("bob",)}, bob, True),
        ({"allowed_users": (), "allowed_groups": ("soc",)}, bob, True),
    ):
        edit(prod, **fields)
        seen = prod.use(lambda host: host.connections.list(), who)
        assert bool(seen) is fits


def test_a_health_check_needs_a_test_connection(tmp_path: Path) -> None:
    commands = {"ping": {"title": "Ping", "request": {"server": "api", "path": "/users"}}}
    world = World(tmp_path / "home", manifest=acme_host(tmp_path, commands=commands))
    change = Change({"health_check": HealthCheck(5)}, {"url": "https://acme.example"}, {"key": "k" * 20})
    with pytest.raises(WrongUse, match="Acme has no Test Connection"):
        world.use(lambda host: host.connections.add("c", "acme", change))


def test_a_parameter_that_becomes_a_secret_is_sealed(tmp_path: Path, sandbox: Sandbox) -> None:
    world = World(tmp_path / "home", manifest=acme_host(tmp_path))
    change = Change(parameters={"url": sandbox.base, "pin": "a-pin-of-eight"}, secrets={"key": "k" * 20})
    world.use(lambda host: host.connections.add("c", "acme", change))
    connection: Any = PLUGIN["connection"]
    properties = {**connection["properties"], "pin": {"title": "Pin", "type": "string", "writeOnly": True}}
    acme_host(tmp_path, version="1.1.0", connection={**connection, "properties": properties})
    [exported] = world.use(lambda host: host.transfer.export())["connections"]
    assert (exported["missing_secrets"], "a-pin-of-eight" in json.dumps(exported)) == (["key", "pin"], False)
    assert [one.error for one in world.use(lambda host: host.connections.upgrade())] == [""]

    async def look(host: Any) -> Any:
        return (await host.connections.show("c"))["parameters"], await opened(host, "c")

    assert world.use(look) == ({"url": sandbox.base}, {"key": "k" * 20, "pin": "a-pin-of-eight"})
