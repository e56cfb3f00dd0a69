"""The nouns of places: tenants, and the sites that belong to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tenant:
    """A party whose data are kept apart; the master tenant may share its connections with the others."""

    name: str
    master: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """A place of work of one tenant: internal, or a client's."""

    name: str
    tenant: str
    internal: bool = True


@dataclass(frozen=True, slots=True)
class PlaceMap:
    """All tenants and sites, by name."""

    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)

    @property
    def master(self) -> str | None:
        """Name of the master tenant."""
        return next((one.name for one in self.tenants.values() if one.master), None)
