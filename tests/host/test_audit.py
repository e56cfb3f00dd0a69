"""The audit: every deed in it, never a secret, and whatever is done to the record of it is found, with its place."""

import json
import sqlite3
from typing import Any

import pytest

from connector_host.model.audit import AuditHead, AuditVerdict, digest_of
from connector_host.model.caller import Caller
from connector_host.model.connection import Change
from tests.world import API_KEY, INTEGRATION_KEY, Sandbox, World


def verify(world: World, noted: AuditHead | None = None) -> AuditVerdict:
    verdict: AuditVerdict = world.use(lambda host: host.audit.verify(noted))
    return verdict


def tampered(world: World, *statements: str) -> None:
    """What somebody with the database file can do."""
    with sqlite3.connect(world.home / "connector-host.db") as database:
        for trigger in ("audit_is_never_altered", "audit_is_never_shortened"):
            database.execute(f"drop trigger if exists {trigger}")
        for statement in statements:
            database.execute(statement)
    database.close()


@pytest.fixture
def busy(prod: World) -> World:
    """Six records: added, run, changed, copied, run, removed."""
    prod.run("list_users")
    change = Change({"description": "ours"}, {"default_from": "a@example.com"}, {"api_key": "k" * 20})
    prod.use(lambda host: host.connections.edit("prod", change))
    prod.use(lambda host: host.connections.copy("prod", "twin"))
    prod.run("get_all_schedules")
    prod.use(lambda host: host.connections.remove("twin"))
    return prod


def test_each_deed_is_recorded_without_a_secret(busy: World) -> None:
    records = busy.use(lambda host: host.audit.newest(100))
    assert [one.entry.action for one in reversed(records)] == [
        "connection.added",
        "invocation.finished",
        "connection.changed",
        "connection.copied",
        "invocation.finished",
        "connection.removed",
    ]
    changed = json.loads(records[3].entry.details)
    assert (records[3].entry.actor, records[3].entry.subject) == ("operator", "prod")
    assert (changed["fields"], changed["parameters"], changed["secrets"]) == (
        {"description": "ours"},
        ["default_from"],
        ["api_key"],
    )
    text = json.dumps([one.entry.details for one in records])
    assert API_KEY not in text
    assert INTEGRATION_KEY not in text
    assert "k" * 20 not in text


def test_who_did_it_is_named(prod: World) -> None:
    prod.use(lambda host: host.run("pagerduty", "list_users", "prod"), Caller("ann", ("soc",)))
    [newest] = prod.use(lambda host: host.audit.newest(1))
    assert (newest.entry.actor, json.loads(newest.entry.details)["command"]) == ("user ann", "list_users")
    assert (newest.entry.actor_kind, newest.entry.actor_id) == ("user", "ann")


def test_an_untouched_audit_verifies(busy: World) -> None:
    verdict = verify(busy)
    assert (verdict.records, verdict.problems, verdict.head.number) == (6, (), 6)
    assert verify(busy, verdict.head).problems == ()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (["update audit set actor = 'nobody' where number = 3"], ["Record 3 of", "was altered"]),
        (["update audit set details = '{}' where number = 1"], ["Record 1 of", "was altered"]),
        (["update audit set at = '1999-01-01' where number = 6"], ["Record 6 of 1999-01-01", "was altered"]),
        (["delete from audit where number = 4"], ["Record 4 is missing"]),
        (["delete from audit where number in (2, 3)"], ["Records 2 to 3 are missing"]),
        (["delete from audit where number = 1"], ["Record 1 is missing"]),
        (["delete from audit where number > 4"], ["ends at record 6: look after record 4"]),
        (["update audit set number = -2 where number = 2", "update audit set number = 2 where number = 3", "update audit set number = 3 where number = -2"], ["Record 2 of", "moved or rewritten", "Record 3 of"]),
        (["update audit set number = -number", "update audit set number = number + 7"], ["moved or rewritten"]),
        (["insert into audit select 7, at, actor, action, subject, subject_id, details, previous, digest, actor_kind, actor_id from audit where number = 6"], ["ends at record 6: look from record 7 on"]),
        (["insert into audit select -1, at, actor, action, subject, subject_id, details, previous, digest, actor_kind, actor_id from audit where number = 6"], ["Record -1 is none that was ever written"]),
        (["update audit_head set number = 4"], ["ends at record 4"]),
    ],
)  # fmt: skip
def test_whatever_is_done_to_it_is_found_with_its_place(busy: World, harm: list[str], words: list[str]) -> None:
    tampered(busy, *harm)
    problems = "\n".join(verify(busy).problems)
    for word in words:
        assert word in problems


def test_a_whole_rewritten_end_is_found_by_what_was_noted(busy: World) -> None:
    noted = verify(busy).head
    records = busy.use(lambda host: host.audit.newest(100))
    previous = records[1].previous  # record 5's
    statements = []
    for record in (records[1], records[0]):
        entry = type(record.entry)(**{**{f: getattr(record.entry, f) for f in record.entry.__slots__}, "actor": "eve"})
        digest = digest_of(record.number, previous, entry)
        statements.append(
            f"update audit set actor = 'eve', previous = '{previous}', digest = '{digest}' where number = {record.number}"
        )
        previous = digest
    tampered(busy, *statements, f"update audit_head set digest = '{previous}'")
    for end in busy.home.glob("*.audit-end"):
        end.unlink()  # whoever writes the whole chain anew, and the note beside it, is not seen from within
    assert verify(busy).problems == ()
    assert verify(busy, noted).problems == (
        "Record 6 is not as it was noted: it, or one before it, was rewritten or removed.",
    )


@pytest.mark.parametrize("statement", ["update audit set actor = 'x'", "delete from audit"])
def test_the_database_itself_refuses(busy: World, statement: str) -> None:
    with sqlite3.connect(busy.home / "connector-host.db") as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(statement)
    database.close()


def test_programs_at_the_same_time_make_one_chain(prod: World) -> None:
    import subprocess
    import sys

    code = """
import sys, anyio
from pathlib import Path
from connector_host.model.connection import Change
from connector_host import Configuration, open_host
async def main():
    async with open_host(Configuration(home=Path(sys.argv[1]))) as opened:
        host = opened.as_operator()
        for number in range(40):
            await host.connections.edit(sys.argv[2], Change(fields={"description": str(number)}))
            for _ in range(10):
                await host._core.audit.record("test.noted", host._caller)
anyio.run(main)
"""
    prod.use(lambda host: host.connections.copy("prod", "twin"))
    programs = [subprocess.Popen([sys.executable, "-c", code, str(prod.home), name]) for name in ("prod", "twin")]
    assert [program.wait() for program in programs] == [0, 0]
    verdict = verify(prod)
    assert (verdict.records, verdict.problems) == (882, ())


def test_keys_places_and_transfers_are_in_it(prod: World, sandbox: Sandbox) -> None:
    async def work(host: Any) -> list[str]:
        await host.keys.rotate()
        await host.keys.retire()
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_site("hq")
        await host.sites.remove_site("hq")
        await host.transfer.export()
        return [one.entry.action for one in await host.audit.newest(6)]

    expected = ["connections.exported", "site.removed", "site.put", "tenant.put", "keys.retired", "keys.rotated"]
    assert prod.use(work) == expected
