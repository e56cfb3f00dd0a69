"""Tenants and sites on SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from connector_host.builtin.stores.database import Database
from connector_host.builtin.stores.sqlite_audit import append
from connector_host.contract.audit import AuditEntry
from connector_host.contract.errors import BadSetting, StoreError, UnknownPlace
from connector_host.contract.places import PlaceMap, Site, Tenant


class SqlitePlaces:
    """Tenants and sites, read again only when one of them changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[int, PlaceMap] | None = None

    async def load(self) -> PlaceMap:
        """All of them, as they are now."""
        with self._database.reading() as (queries, raw):
            stamp = queries.place_stamp(raw)
            if self._known is None or self._known[0] != stamp:
                tenants = {name: Tenant(name, bool(master)) for name, master in queries.tenants(raw)}
                sites = {name: Site(name, tenant, bool(internal)) for name, tenant, internal in queries.sites(raw)}
                self._known = stamp, PlaceMap(tenants, sites)
            return self._known[1]

    async def put_tenant(self, tenant: Tenant, entry: AuditEntry) -> None:
        """Add a tenant, or change it."""
        refusal = BadSetting("There is a master tenant already; there can be only one.")
        with self._refusing(refusal), self._database.writing() as (queries, raw):
            queries.put_tenant(raw, name=tenant.name, master=tenant.master)
            queries.touch_places(raw)
            append(queries, raw, entry)

    async def put_site(self, site: Site, entry: AuditEntry) -> None:
        """Add a site, or change it."""
        refusal = UnknownPlace(f"There is no tenant '{site.tenant}'.")
        with self._refusing(refusal), self._database.writing() as (queries, raw):
            queries.put_site(raw, name=site.name, tenant=site.tenant, internal=site.internal)
            queries.touch_places(raw)
            append(queries, raw, entry)

    async def remove_tenant(self, name: str, entry: AuditEntry) -> bool:
        """Forget a tenant."""
        refusal = BadSetting(f"The tenant '{name}' still has sites, or connections are shared to it.")
        with self._refusing(refusal), self._database.writing() as (queries, raw):
            removed = bool(queries.remove_tenant(raw, name=name))
            if removed:
                queries.touch_places(raw)
                append(queries, raw, entry)
            return removed

    async def remove_site(self, name: str, entry: AuditEntry) -> bool:
        """Forget a site."""
        refusal = BadSetting(f"The site '{name}' still has connections, or receives the events of one.")
        with self._refusing(refusal), self._database.writing() as (queries, raw):
            removed = bool(queries.remove_site(raw, name=name))
            if removed:
                queries.touch_places(raw)
                append(queries, raw, entry)
            return removed

    @contextmanager
    def _refusing(self, refusal: BadSetting | UnknownPlace) -> Iterator[None]:
        """Say in words what the database's own constraints refuse."""
        try:
            yield
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError) and "constraint failed" in str(error.__cause__):
                raise refusal from error
            raise
