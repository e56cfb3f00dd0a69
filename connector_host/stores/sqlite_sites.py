"""Tenants and sites on SQLite."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connector_host.model.audit import AuditEntry
from connector_host.model.caller import Site, SiteMap, Tenant
from connector_host.model.errors import BadSetting, StoreError, UnknownSite
from connector_host.ports.stores import Sign
from connector_host.stores.audit_rows import append
from connector_host.stores.database import Database
from connector_host.stores.statements import Statements


class SqliteSites:
    """Tenants and sites, read again only when one of them changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = SiteMap(number=-1)

    async def load(self) -> SiteMap:
        """All of them, as they are now."""
        with self._database.reading() as db:
            if tuple(db.row("site_stamp")) != (self._known.number, self._known.mac):
                self._known = _all(db)
            return self._known

    async def put_tenant(self, tenant: Tenant, sign: Sign, entry: AuditEntry) -> None:
        """Add a tenant, or change it."""
        refusal = BadSetting("There is a master tenant already; there can be only one.")
        values = {"name": tenant.name, "master": tenant.master}
        await self._change(lambda db: db.change("put_tenant", **values), sign, entry, refusal)

    async def put_site(self, site: Site, sign: Sign, entry: AuditEntry) -> None:
        """Add a site, or change it."""
        refusal = UnknownSite(f"There is no tenant '{site.tenant}'.")
        values = {"name": site.name, "tenant": site.tenant, "internal": site.internal}
        await self._change(lambda db: db.change("put_site", **values), sign, entry, refusal)

    async def remove_tenant(self, name: str, sign: Sign, entry: AuditEntry) -> bool:
        """Forget a tenant."""
        refusal = BadSetting(f"The tenant '{name}' still has sites, or connections are shared to it.")
        return await self._change(lambda db: db.change("remove_tenant", name=name), sign, entry, refusal)

    async def remove_site(self, name: str, sign: Sign, entry: AuditEntry) -> bool:
        """Forget a site."""
        refusal = BadSetting(f"The site '{name}' still has connections, or receives the events of one.")
        return await self._change(lambda db: db.change("remove_site", name=name), sign, entry, refusal)

    async def sign(self, sign: Sign, entry: AuditEntry) -> None:
        """Sign what stands there."""
        await self._change(lambda _: 1, sign, entry, BadSetting())

    async def _change(
        self, change: Callable[[Statements], int], sign: Sign, entry: AuditEntry, refusal: BadSetting | UnknownSite
    ) -> bool:
        """Change something and sign the whole anew; what the database's own constraints refuse is said in words."""

        def work(db: Statements) -> bool:
            if not change(db):
                return False
            db.change("touch_sites")
            db.change("sign_sites", mac=sign(_all(db)))
            append(db, entry)
            return True

        with _refusing(refusal):
            return await self._database.write(work)


def _all(db: Statements) -> SiteMap:
    number, mac = db.row("site_stamp")
    tenants = {name: Tenant(name, bool(master)) for name, master in db.rows("tenants")}
    sites = {name: Site(name, tenant, bool(internal)) for name, tenant, internal in db.rows("sites")}
    return SiteMap(tenants, sites, number, mac)


@contextmanager
def _refusing(refusal: BadSetting | UnknownSite) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        if isinstance(error.__cause__, sqlite3.IntegrityError) and "constraint failed" in str(error.__cause__):
            raise refusal from error
        raise
