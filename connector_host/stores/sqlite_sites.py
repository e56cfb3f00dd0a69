"""Tenants and sites on SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from connector_host.model.audit import AuditEntry
from connector_host.model.caller import Site, SiteMap, Tenant
from connector_host.model.errors import BadSetting, StoreError, UnknownSite
from connector_host.stores.database import Database
from connector_host.stores.sqlite_records import append


class SqliteSites:
    """Tenants and sites, read again only when one of them changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[int, SiteMap] | None = None

    async def load(self) -> SiteMap:
        """All of them, as they are now."""
        with self._database.reading() as db:
            stamp = db.row("site_stamp")[0]
            if self._known is None or self._known[0] != stamp:
                tenants = {name: Tenant(name, bool(master)) for name, master in db.rows("tenants")}
                sites = {name: Site(name, tenant, bool(internal)) for name, tenant, internal in db.rows("sites")}
                self._known = stamp, SiteMap(tenants, sites)
            return self._known[1]

    async def put_tenant(self, tenant: Tenant, entry: AuditEntry) -> None:
        """Add a tenant, or change it."""
        refusal = BadSetting("There is a master tenant already; there can be only one.")
        with self._refusing(refusal), self._database.writing() as db:
            db.change("put_tenant", name=tenant.name, master=tenant.master)
            db.change("touch_sites")
            append(db, entry)

    async def put_site(self, site: Site, entry: AuditEntry) -> None:
        """Add a site, or change it."""
        refusal = UnknownSite(f"There is no tenant '{site.tenant}'.")
        with self._refusing(refusal), self._database.writing() as db:
            db.change("put_site", name=site.name, tenant=site.tenant, internal=site.internal)
            db.change("touch_sites")
            append(db, entry)

    async def remove_tenant(self, name: str, entry: AuditEntry) -> bool:
        """Forget a tenant."""
        refusal = BadSetting(f"The tenant '{name}' still has sites, or connections are shared to it.")
        with self._refusing(refusal), self._database.writing() as db:
            removed = bool(db.change("remove_tenant", name=name))
            if removed:
                db.change("touch_sites")
                append(db, entry)
            return removed

    async def remove_site(self, name: str, entry: AuditEntry) -> bool:
        """Forget a site."""
        refusal = BadSetting(f"The site '{name}' still has connections, or receives the events of one.")
        with self._refusing(refusal), self._database.writing() as db:
            removed = bool(db.change("remove_site", name=name))
            if removed:
                db.change("touch_sites")
                append(db, entry)
            return removed

    @contextmanager
    def _refusing(self, refusal: BadSetting | UnknownSite) -> Iterator[None]:
        """Say in words what the database's own constraints refuse."""
        try:
            yield
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError) and "constraint failed" in str(error.__cause__):
                raise refusal from error
            raise
