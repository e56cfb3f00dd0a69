"""Signs what release 1.0 stored without a MAC, once; from then on a row without one is refused."""

import json
import logging
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from connector_host.host.connections.iterating import iter_connections
from connector_host.host.connections.origins import origins_of
from connector_host.host.core import Core
from connector_host.host.sites import plain_name
from connector_host.model.caller import OPERATOR
from connector_host.model.connection import EVERYTHING, StoredConnection
from connector_host.model.errors import ConnectionChanged, SealBroken

log = logging.getLogger("connector_host")
_NOTE = """The rows of this store carry MACs; one that has none is refused. Do not remove this file.
"""


async def protect(core: Core, note: Path) -> None:
    """Sign every connection, and the tenants and sites, unless `note` says that it was done; then write the note.

    Raises SealError where the master keys are not at hand: nothing is signed before they are.
    """
    if _exists(note):
        return
    signed, damaged = 0, []
    async for stored in iter_connections(core.store.connections, EVERYTHING, OPERATOR):
        if stored.damage:
            damaged.append(stored.connection.name)
        elif stored.sealed is None or stored.sealed.mac is None:
            try:
                signed += await _sign(core, stored)
            except SealBroken:
                damaged.append(stored.connection.name)
    await _tidy_names(core)
    sites = await core.store.sites.load()
    if sites.mac is None and (sites.tenants or sites.sites):
        entry = core.audit.entry("sites.signed", OPERATOR)
        await core.store.sites.sign(await core.sites.signer(), entry)
    if signed or damaged:
        await core.audit.record("connections.signed", OPERATOR, signed=signed, damaged=damaged)
        log.warning("%d connections of an earlier release were signed: changes from outside are refused now.", signed)
    _write(note)


def _exists(note: Path) -> bool:
    return note.exists()


def _write(note: Path) -> None:
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    note.write_text(_NOTE, "utf-8")


async def _tidy_names(core: Core) -> None:
    """Rename connections whose names look like others' and are not: release 1.0 kept blanks and every form of Unicode.

    The later of two that become the same gets a number.
    """
    found = [one async for one in iter_connections(core.store.connections, EVERYTHING, OPERATOR) if not one.damage]
    taken = {one.connection.name for one in found}
    for stored in found:
        old = stored.connection
        name = plain_name(old.name)
        if name == old.name or stored.sealed is None:
            continue
        number, free = 2, name
        while free in taken:
            number, free = number + 1, f"{name} ({number})"
        taken.add(free)
        renewed = await core.secrets.signed(replace(old, name=free, version=old.version + 1), stored)
        entry = core.audit.entry("connection.renamed", OPERATOR, renewed.connection, was=old.name)
        with suppress(ConnectionChanged):  # another program was faster
            await core.store.connections.change(renewed, entry)
            log.warning("The connection %r is called %r now: its name looked like another's.", old.name, free)


async def _sign(core: Core, stored: StoredConnection) -> bool:
    """Save a connection of release 1.0 anew, its secrets bound to their generation; another program may be faster."""
    connection, sealed = stored.connection, stored.sealed
    secrets = {}
    if sealed is not None:
        data_key = await core.secrets.unwrapped(connection, sealed)
        for name, blob in sealed.secrets.items():
            context = json.dumps(["secret", connection.id, name, sealed.version]).encode()  # of release 1.0
            secrets[name] = json.loads(core.secrets.cipher.open(data_key, blob, context))
    manifest = core.registry.plugins.get(connection.plugin)
    origins = () if manifest is None else origins_of(manifest, connection.parameters, connection.vault)
    renewed = await core.secrets.sealed(replace(connection, version=connection.version + 1, origins=origins), secrets)
    entry = core.audit.entry("connection.signed", OPERATOR, connection, version=renewed.connection.version)
    try:
        await core.store.connections.change(renewed, entry)
    except ConnectionChanged:
        return False
    return True


async def lacks_its_end(core: Core) -> bool:
    """Whether the audit ends before an end noted outside the database; nothing is written then, and it is said.

    `audit verify` says so too.
    """
    lost = await core.audit.lost()
    if lost is not None:
        words = (
            "The audit lacks record %d, which was noted: lost in a power cut, or removed. See: connector-host store %s"
        )
        log.warning(words, lost.number, "restore")
    return lost is not None
