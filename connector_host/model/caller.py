"""The nouns of who asks and from where: callers, the operator, tenants, and the sites that belong to them."""

from collections.abc import Mapping

from msgspec import Struct, field


class Caller(Struct, frozen=True):
    """On whose behalf something is done, as the embedding program vouches for.

    A caller with nothing in it may do nothing.
    """

    user: str | None = None
    groups: tuple[str, ...] = ()
    site: str | None = None
    tenant: str | None = None

    def __str__(self) -> str:
        place = "".join(f" {word} {name}" for word, name in (("at", self.site), ("of", self.tenant)) if name)
        return f"{self.user or 'somebody'}{place}"

    def __bool__(self) -> bool:
        return bool(self.user or self.groups or self.site or self.tenant)


class Operator(Struct, frozen=True):
    """Who runs the host, and may do everything; no caller equals it, however little is known of them."""

    def __str__(self) -> str:
        return "operator"


OPERATOR = Operator()
Principal = Caller | Operator
HEALTH_CHECK = "health check"  # stands in the history where nobody called


class Tenant(Struct, frozen=True):
    """A party whose data are kept apart; the master tenant may share its connections with the others."""

    name: str
    master: bool = False


class Site(Struct, frozen=True):
    """A place of work of one tenant: internal, or a client's."""

    name: str
    tenant: str
    internal: bool = True


class SiteMap(Struct, frozen=True):
    """All tenants and sites, by name."""

    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)

    @property
    def master(self) -> str | None:
        """Name of the master tenant."""
        return next((tenant.name for tenant in self.tenants.values() if tenant.master), None)
