"""Writes rights.md: every call that reads, as each caller, tried on a host that is made for it."""

import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio

from connector_host import Caller, Change, Configuration, Host, NotAllowed, Session, WrongUse, open_host
from connector_host.app import App
from connector_host.cli.sandbox import serving
from connector_host.model.errors import UnknownConnection
from connector_host.model.invocation import UNRECORDED
from connector_host.running.python import plugin_module

PAGE = Path(__file__).with_name("rights.md")
_HEAD = """# Who reads what

Made by `python docs/reference/make_rights.py`, which opens a host and tries each call as each caller.

The connection `prod` of the master tenant's site `hq` is shared to `hq`, and to the tenants acme and beta; Ann
administers it. Each caller has run a command through it where they may, `hq` has taken incidents in, and Ben has put a
file there. "all" is what anybody made, "own" what the caller made. Who has no right to a
connection is answered "unknown", in the same words and after the same time as where there is none.
"""
CALLERS = {
    "operator": None,
    "Ann, administrator": Caller("ann", (), "hq"),
    "Ben, user at hq": Caller("ben", (), "hq"),
    "Amy, user of acme": Caller("amy", (), "acme-soc"),
    "Bob, user of beta": Caller("bob", (), "beta-soc"),
    "Eve, user of a tenant without it": Caller("eve", (), "shop"),
    "nobody": Caller(),
}
Read = Callable[[Session, str], Awaitable[str]]  # what a call comes to for a session, and its user's name


def page() -> str:
    """Return the page."""
    rows = anyio.run(_tried)
    lines = [f"- {name}: `{caller!r}`" for name, caller in CALLERS.items() if caller]
    lines += ["", f"| call | {' | '.join(CALLERS)} |", f"|---|{'---|' * len(CALLERS)}"]
    lines += [f"| `{call}` | {' | '.join(cells)} |" for call, cells in rows.items()]
    return f"{_HEAD}\n" + "\n".join(lines) + "\n"


async def _tried() -> dict[str, list[str]]:
    sandbox = plugin_module(App().plugins.plugin("pagerduty"), "sandbox").build()
    with tempfile.TemporaryDirectory() as home, serving(sandbox) as base:
        async with open_host(Configuration(home=Path(home))) as host:
            made = await _made(host, base)
            return {call: [await _answer(host, one, read) for one in CALLERS.values()] for call, read in made}


def _as(host: Host, caller: Caller | None) -> Session:
    return host.as_operator() if caller is None else host.acting_for(caller)


async def _answer(host: Host, caller: Caller | None, read: Read) -> str:
    try:
        return await read(_as(host, caller), caller.user if caller else "")
    except UnknownConnection:
        return "unknown"
    except (NotAllowed, WrongUse):
        return "refused"


async def _made(host: Host, base: str) -> list[tuple[str, Read]]:
    """Fill the host; return each call with what it comes to for a session."""
    operator = host.as_operator()
    await operator.sites.put_tenant("us", master=True)
    await operator.sites.put_site("hq")
    for tenant, site in (("acme", "acme-soc"), ("beta", "beta-soc"), ("shops", "shop")):
        await operator.sites.put_tenant(tenant)
        await operator.sites.put_site(site, tenant=tenant)
    shared = {"shared_to_internal_sites": True, "recipient_site": "hq", "tenants": ("acme", "beta")}
    secrets = {"api_key": "u+NotARealKey-0123", "integration_key": "0" * 32}
    change = Change({**shared, "admin_users": ("ann",)}, {"server_url": base, "event_url": base}, secrets)
    await operator.connections.add("prod", "pagerduty", change)
    runs = {}
    for caller in CALLERS.values():
        with suppress(UnknownConnection):
            result = await _as(host, caller).run("pagerduty", "list_users", "prod")
            runs[caller.user if caller else ""] = result.invocation_id
    await operator.ingest("pagerduty", "fetch_incident", "prod")
    file = host.acting_for(CALLERS["Ben, user at hq"]).uploads.put("note.txt", b"of Ben")  # type: ignore[arg-type]
    return [*_of_connections(), *_of_runs(runs, file), *_of_the_host()]


def _of_connections() -> Iterable[tuple[str, Read]]:
    async def listed(one: Session, _: str) -> str:
        return "all" if await one.connections.list() else "nothing"

    async def shown(one: Session, _: str) -> str:
        ends = "with the secrets' ends" if "0123" in str(await one.connections.show("prod")) else "secrets masked"
        return f"all, {ends}"

    async def diagnosed(one: Session, name: str) -> str:
        found = await one.diagnose("prod")
        audit = "with" if found["audit.json"] else "without"
        return f"{_whose(name, [run['caller'] for run in found['history.json']])} runs, {audit} the audit"

    async def exported(one: Session, _: str) -> str:
        return "all" if (await one.transfer.export())["connections"] else "nothing"

    async def chosen(one: Session, _: str) -> str:
        found = await one.choices("pagerduty", "create_incident", "service_id", "prod")
        return "all" if found else "nothing"

    async def used(one: Session, _: str) -> str:
        await one.test("prod", options=UNRECORDED)
        return "runs"

    return [
        ("run(…), ingest(…), test(…)", used),
        ("connections.list()", listed),
        ("connections.show(…)", shown),
        ("diagnose(…)", diagnosed),
        ("choices(…)", chosen),
        ("transfer.export()", exported),
    ]


def _of_runs(runs: dict[str, str], file: str) -> Iterable[tuple[str, Read]]:
    async def history(one: Session, name: str) -> str:
        return _whose(name, [run.caller for run in await one.history(100, "prod")])

    async def everything(one: Session, name: str) -> str:
        return _whose(name, [run.caller for run in await one.history(100)])

    async def past(one: Session, name: str) -> str:
        found = [user for user, run in runs.items() if await one.past(run) is not None]
        return "all" if len(found) == len(runs) else "own" if found == [name] else ", ".join(found) or "nothing"

    async def ingested(one: Session, _: str) -> str:
        found = await one.ingested("fetch_incident", "prod")
        return "all of hq" if found and {one.site for one in found} == {"hq"} else "nothing"

    async def uploaded(one: Session, _: str) -> str:
        return "own" if one.uploads.find(file) else "nothing"

    return [
        ("history(…, connection)", history),
        ("history()", everything),
        ("past(…)", past),
        ("ingested(…)", ingested),
        ("uploads.find(…)", uploaded),
    ]


def _of_the_host() -> Iterable[tuple[str, Read]]:
    def reading(read: Callable[[Session], Awaitable[Any]]) -> Read:
        async def tried(one: Session, _: str) -> str:
            await read(one)
            return "all"

        return tried

    return [
        ("sites.map()", reading(lambda one: one.sites.map())),
        ("audit.newest(…)", reading(lambda one: one.audit.newest(5))),
        ("audit.verify()", reading(lambda one: one.audit.verify())),
        ("store.check()", reading(lambda one: one.store.check())),
    ]


def _whose(name: str, callers: Sequence[str]) -> str:
    names = set(callers)
    if not names:
        return "nothing"
    return "own" if {one.partition(" at ")[0] for one in names} == {f"user {name}"} else "all"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
