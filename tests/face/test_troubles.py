"""Connections in trouble: the cause once, since when, what came just before, and how it is taken back."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector_host import BadSetting, Caller, Change, ConnectionChanged, NotAllowed
from tests.world import Sandbox, World

NOWHERE = {"server_url": "http://127.0.0.1:9", "event_url": "http://127.0.0.1:9"}


def troubles(world: World, *names: str, caller: Caller | None = None) -> list[Any]:
    return list(world.use(lambda session: session.connections.troubles(names), caller))


def test_what_fails_since_when_and_what_changed_just_before(tmp_path: Path, sandbox: Sandbox) -> None:
    prod = World(tmp_path / "real time")
    prod.add(sandbox.base)

    async def work(session: Any) -> None:
        await session.test("prod")
        await session.connections.edit("prod", Change(parameters=elsewhere))
        sandbox.faults.status, sandbox.faults.left = 401, 1000
        await session.test("prod")
        await session.test("prod")
        await session.run("pagerduty", "list_users", "prod")

    elsewhere = {name: sandbox.base.replace("127.0.0.1", "localhost") for name in ("server_url", "event_url")}
    prod.use(work)
    [trouble] = troubles(prod, "prod")
    assert (trouble.connections, trouble.secret_names) == (
        ("prod",),
        ("api_key", "integration_key", "integration_keys"),
    )
    assert trouble.words == "You shall not pass."
    words = [f"{one.status} {one.words}".strip() for one in trouble.moments]
    assert words[0] == "Passed Test Connection"
    assert words[1] == "changed by operator: event_url, server_url"
    assert words[2:] == ["Failed Test Connection", "Failed Test Connection"]
    assert trouble.since == trouble.moments[2].at
    assert [one.command for one in trouble.failed] == ["list_users"]
    assert trouble.failed[0].repeatable
    assert (trouble.undo, trouble.former) == ("", "event_url, server_url")  # where secrets are sent to was changed
    former = prod.use(lambda session: session.connections.former("prod"))
    assert former == Change({}, {"event_url": sandbox.base, "server_url": sandbox.base})


async def _tested(name: str, session: Any) -> None:
    await session.test(name)


def test_failures_of_one_cause_are_one(world: World) -> None:
    for name in ("a", "b", "c"):
        world.add("http://127.0.0.1:9", name)
        world.use(partial(_tested, name))
    [trouble] = troubles(world, "a", "b", "c")
    assert trouble.connections == ("a", "b", "c")


def test_an_edit_that_leads_no_secret_elsewhere_is_undone(prod: World) -> None:
    edit = Change({"description": "new", "allowed_users": ("ann",)}, {"default_from": "somebody@example.com"})
    before = prod.use(lambda session: session.connections.show("prod"))
    prod.use(lambda session: session.connections.edit("prod", edit))
    [trouble] = troubles(prod, "prod")
    assert trouble.undo == "default_from, description, allowed_users"
    with pytest.raises(ConnectionChanged):
        prod.use(lambda session: session.connections.undo("prod", version=1))
    prod.use(lambda session: session.connections.undo("prod"))
    after = prod.use(lambda session: session.connections.show("prod"))
    for name in ("description", "allowed_users", "parameters", "secrets"):
        assert after[name] == before[name]
    prod.use(lambda session: session.connections.undo("prod"))  # the undoing is an edit too
    assert prod.use(lambda session: session.connections.show("prod"))["description"] == "new"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(secrets={"api_key": "another-key-of-20-ch"}), "changed a secret"),
        (Change(parameters=NOWHERE), "where the secrets are sent|changed a secret"),
        (Change(), "nothing that can be undone"),
    ],
    ids=["a secret", "a server", "nothing"],
)
def test_what_cannot_be_undone_says_what_to_give(prod: World, change: Change, words: str) -> None:
    prod.use(lambda session: session.connections.edit("prod", change))
    with pytest.raises(BadSetting, match=words):
        prod.use(lambda session: session.connections.undo("prod"))


def test_what_was_never_edited_has_nothing_to_undo(prod: World) -> None:
    with pytest.raises(BadSetting, match="no edit"):
        prod.use(lambda session: session.connections.undo("prod"))
    with pytest.raises(BadSetting, match="no edit"):
        prod.use(lambda session: session.connections.former("prod"))


def test_whose_the_card_is(prod: World) -> None:
    prod.use(lambda session: session.connections.edit("prod", Change({"description": "x"})))
    reader = Caller(user="ann")
    [trouble] = troubles(prod, "prod", caller=reader)
    assert (trouble.secret_names, trouble.undo, trouble.former) == ((), "", "")
    with pytest.raises(NotAllowed):
        prod.use(lambda session: session.connections.former("prod"), reader)
    with pytest.raises(NotAllowed):
        prod.use(lambda session: session.connections.undo("prod"), reader)


def test_a_run_that_may_have_happened_is_not_repeatable(prod: World, sandbox: Sandbox) -> None:
    sandbox.faults.lost = 9
    prod.use(
        lambda session: session.run(
            "pagerduty", "create_event", "prod", {"summary": "s", "severity": "Info", "source": "x"}
        )
    )
    [record] = prod.use(lambda session: session.history(1))
    assert (record.effect, record.repeatable) == ("unknown", False)


def test_what_stood_at_another_site_is_not_shown_to_the_new_one(prod: World) -> None:
    async def moved(session: Any) -> None:
        await session.sites.put_tenant("us", master=True)
        for site in ("away", "hq"):
            await session.sites.put_site(site)
        await session.connections.edit("prod", Change({"site": "away", "description": "theirs"}))
        await session.connections.edit("prod", Change({"site": "hq", "description": "ours"}))

    prod.use(moved)
    manager = Caller("max", site="hq", manages=True)
    assert [one.former + one.undo for one in troubles(prod, "prod", caller=manager)] in ([], [""])
    with pytest.raises(NotAllowed, match="not yours"):
        prod.use(lambda session: session.connections.former("prod"), manager)
    assert prod.use(lambda session: session.connections.former("prod")).fields["description"] == "theirs"
