"""The desk for tenants and sites; only the operator comes to it."""

from connector_host.contract.connection import OPERATOR, Caller
from connector_host.contract.errors import BadSetting, UnknownPlace
from connector_host.contract.places import PlaceMap, Site, Tenant
from connector_host.contract.stores import Places
from connector_host.kernel.access import operator_only
from connector_host.kernel.audit import Auditor
from connector_host.kernel.naming import checked_name
from connector_host.kernel.schema import did_you_mean


class PlaceManager:
    """Every change of a tenant or a site goes through here."""

    def __init__(self, store: Places, auditor: Auditor) -> None:
        self._store = store
        self._auditor = auditor

    async def map(self, caller: Caller = OPERATOR) -> PlaceMap:
        """All tenants and sites."""
        operator_only(caller, "see all tenants and sites")
        return await self._store.load()

    async def put_tenant(self, name: str, *, master: bool = False, caller: Caller = OPERATOR) -> Tenant:
        """Add a tenant, or say whether it is the master; the first must be. Raises BadSetting."""
        operator_only(caller, "change tenants and sites")
        checked_name(name, "tenant")
        places = await self._store.load()
        if not places.tenants and not master:
            raise BadSetting("The first tenant must be the master tenant: add --master, or add that one first.")
        if name == places.master and not master:
            raise BadSetting(f"'{name}' is the master tenant, and there must be one.")
        tenant = Tenant(name, master)
        await self._store.put_tenant(tenant, self._auditor.entry("tenant.put", caller, name, master=master))
        return tenant

    async def put_site(
        self, name: str, *, tenant: str | None = None, internal: bool = True, caller: Caller = OPERATOR
    ) -> Site:
        """Add a site, or change its tenant and kind; without a tenant it is the master's, or stays where it was.

        Raises BadSetting, UnknownPlace.
        """
        operator_only(caller, "change tenants and sites")
        checked_name(name, "site")
        places = await self._store.load()
        if tenant is None:
            tenant = places.sites[name].tenant if name in places.sites else places.master
        if tenant is None:
            raise UnknownPlace("There is no tenant yet. Add one: connector-host tenants add NAME --master")
        if tenant not in places.tenants:
            raise UnknownPlace(f"There is no tenant '{tenant}'.{did_you_mean(tenant, list(places.tenants))}")
        site = Site(name, tenant, internal)
        await self._store.put_site(
            site, self._auditor.entry("site.put", caller, name, tenant=tenant, internal=internal)
        )
        return site

    async def remove_tenant(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget a tenant; raises UnknownPlace, and BadSetting while something belongs to it."""
        operator_only(caller, "change tenants and sites")
        places = await self._store.load()
        if name == places.master and len(places.tenants) > 1:
            raise BadSetting(f"'{name}' is the master tenant: remove the others first.")
        if not await self._store.remove_tenant(name, self._auditor.entry("tenant.removed", caller, name)):
            raise UnknownPlace(f"There is no tenant '{name}'.{did_you_mean(name, list(places.tenants))}")

    async def remove_site(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget a site; raises UnknownPlace, and BadSetting while a connection is there."""
        operator_only(caller, "change tenants and sites")
        if not await self._store.remove_site(name, self._auditor.entry("site.removed", caller, name)):
            known = list((await self._store.load()).sites)
            raise UnknownPlace(f"There is no site '{name}'.{did_you_mean(name, known)}")
