"""Tenants and sites; only the operator sees and changes them."""

import unicodedata

from connector_host.host.access import operator_only
from connector_host.host.audit import Audit
from connector_host.host.seals import mac_of_sites, same
from connector_host.host.secrets import Secrets
from connector_host.manifests.wording import did_you_mean
from connector_host.model.caller import Principal, Site, SiteMap, Tenant
from connector_host.model.errors import BadSetting, ChangedOutside, UnknownSite
from connector_host.ports.stores import Sign, SiteStore


class SignedSites:
    """Tenants and sites as the host wrote them: what was changed outside it is refused."""

    def __init__(self, store: SiteStore, secrets: Secrets) -> None:
        self.store = store
        self._secrets = secrets
        self._checked: SiteMap | None = None

    async def load(self) -> SiteMap:
        """Return all of them; raises ChangedOutside."""
        sites = await self.store.load()
        if sites is not self._checked and (sites.tenants or sites.sites or sites.mac is not None):
            if not same(sites.mac, mac_of_sites(await self._secrets.folder_key(), sites)):
                raise ChangedOutside(
                    "The tenants and sites were changed outside the host. Restore the database from a backup."
                )
            self._checked = sites
        return sites

    async def signer(self) -> Sign:
        """Return what signs them after a change."""
        key = await self._secrets.folder_key()
        return lambda sites: mac_of_sites(key, sites)


class Sites:
    """Every change of a tenant or a site goes through here."""

    def __init__(self, signed: SignedSites, audit: Audit, caller: Principal) -> None:
        self._signed = signed
        self._audit = audit
        self._caller = caller

    async def map(self) -> SiteMap:
        """All tenants and sites."""
        operator_only(self._caller, "see all tenants and sites")
        return await self._signed.load()

    async def put_tenant(self, name: str, *, master: bool = False) -> Tenant:
        """Add a tenant, or say whether it is the master; the first must be. Raises BadSetting."""
        operator_only(self._caller, "change tenants and sites")
        name = checked_name(name, "tenant")
        site_map = await self._signed.load()
        if not site_map.tenants and not master:
            raise BadSetting("The first tenant must be the master tenant: add --master, or add that one first.")
        if name == site_map.master and not master:
            raise BadSetting(f"'{name}' is the master tenant, and there must be one.")
        tenant = Tenant(name, master)
        entry = self._audit.entry("tenant.put", self._caller, name, master=master)
        await self._signed.store.put_tenant(tenant, await self._signed.signer(), entry)
        return tenant

    async def put_site(self, name: str, *, tenant: str | None = None, internal: bool = True) -> Site:
        """Add a site, or change its tenant and kind; without a tenant it is the master's, or stays where it was.

        Raises BadSetting, UnknownSite.
        """
        operator_only(self._caller, "change tenants and sites")
        name = checked_name(name, "site")
        site_map = await self._signed.load()
        if tenant is None:
            tenant = site_map.sites[name].tenant if name in site_map.sites else site_map.master
        if tenant is None:
            raise UnknownSite("There is no tenant yet. Add one: connector-host tenants add NAME --master")
        if tenant not in site_map.tenants:
            raise UnknownSite(f"There is no tenant '{tenant}'.{did_you_mean(tenant, list(site_map.tenants))}")
        site = Site(name, tenant, internal)
        entry = self._audit.entry("site.put", self._caller, name, tenant=tenant, internal=internal)
        await self._signed.store.put_site(site, await self._signed.signer(), entry)
        return site

    async def remove_tenant(self, name: str) -> None:
        """Forget a tenant; raises UnknownSite, and BadSetting while something belongs to it."""
        operator_only(self._caller, "change tenants and sites")
        site_map = await self._signed.load()
        if name == site_map.master and len(site_map.tenants) > 1:
            raise BadSetting(f"'{name}' is the master tenant: remove the others first.")
        entry = self._audit.entry("tenant.removed", self._caller, name)
        if not await self._signed.store.remove_tenant(name, await self._signed.signer(), entry):
            raise UnknownSite(f"There is no tenant '{name}'.{did_you_mean(name, list(site_map.tenants))}")

    async def remove_site(self, name: str) -> None:
        """Forget a site; raises UnknownSite, and BadSetting while a connection is there."""
        operator_only(self._caller, "change tenants and sites")
        entry = self._audit.entry("site.removed", self._caller, name)
        if not await self._signed.store.remove_site(name, await self._signed.signer(), entry):
            known = list((await self._signed.load()).sites)
            raise UnknownSite(f"There is no site '{name}'.{did_you_mean(name, known)}")


MAX_NAME = 100


def plain_name(name: str) -> str:
    """Return a name as it is kept: without blanks at its ends, each letter in its one form (NFC); raises BadSetting."""
    if not isinstance(name, str):
        raise BadSetting(f"A name is a text, not {type(name).__name__}.")
    return unicodedata.normalize("NFC", name).strip()


def checked_name(name: str, what: str) -> str:
    """Return the name as it is kept; raises BadSetting where it is empty, long, or cannot be printed or addressed."""
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise BadSetting(f"A {what}'s name has 1 to {MAX_NAME} printable characters.")
    if name.strip() in {".", "..", "*"}:  # an address of the HTTP API would mean another place, a filter every one
        raise BadSetting(f"A {what} cannot have the name '{name.strip()}'.")
    return plain_name(name)
