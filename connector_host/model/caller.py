"""The nouns of who asks and from where: callers, the operator, tenants, and the sites that belong to them."""

from collections.abc import Mapping

from msgspec import Struct, field

from connector_host.model.errors import WrongUse


class Bounds(Struct, frozen=True):
    """What somebody may deal with, by name; of what is empty, with all."""

    plugins: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    def cover(self, *, plugin: str = "", connection: str = "", command: str = "") -> bool:
        """Whether these names lie within; a name that is not asked about does."""
        named = ((plugin, self.plugins), (connection, self.connections), (command, self.commands))
        return all(not allowed or not name or name in allowed for name, allowed in named)


UNBOUNDED = Bounds()


class Caller(Struct, frozen=True):
    """On whose behalf something is done, as the embedding program vouches for.

    A caller with nothing in it may do nothing. One who `manages` adds connections at their own site, and administers
    those there. What lies outside their `bounds` does not exist for them. Raises WrongUse for names that cannot be
    shown.
    """

    user: str | None = None
    groups: tuple[str, ...] = ()
    site: str | None = None
    tenant: str | None = None
    manages: bool = False
    bounds: Bounds = UNBOUNDED

    def __str__(self) -> str:
        place = "".join(f" {word} {name}" for word, name in (("at", self.site), ("of", self.tenant)) if name)
        return f"{self.user or 'somebody'}{place}"

    def __post_init__(self) -> None:
        for name in (self.user, self.site, self.tenant, *self.groups):
            if name is not None and not name.isprintable():
                raise WrongUse(f"A caller's name has characters that cannot be shown: {name!r:.80}.")

    def __bool__(self) -> bool:
        return bool(self.user or self.groups or self.site or self.tenant)


class Operator(Struct, frozen=True):
    """Who runs the host, and may do everything; no caller equals it, however little is known of them.

    `via` is the id of the token by which they act, where it is one.
    """

    via: str = ""

    def __str__(self) -> str:
        return f"token {self.via}" if self.via else "operator"


OPERATOR = Operator()
Principal = Caller | Operator


class Actor(Struct, frozen=True):
    """Who did something, as history and audit keep it: of which kind, by which name, from where.

    `kind` is operator, token, user, group, site, tenant, nobody, health check, intake schedule or connection; in
    records of release 1.0 it is empty, and `id` is what stood there. No user equals the operator, whatever they are
    called.
    """

    kind: str
    id: str = ""
    site: str | None = None
    tenant: str | None = None

    def __str__(self) -> str:
        place = "".join(f" {word} {name}" for word, name in (("at", self.site), ("of", self.tenant)) if name)
        return f"{self.kind} {self.id}".strip() + place


HEALTH_CHECK = Actor("health check")  # stands in the history where nobody called
INTAKE_SCHEDULE = Actor("intake schedule")  # the same


def actor_of(principal: Principal) -> Actor:
    """Return who a principal is: a user where one is named, else its groups, its site or its tenant."""
    if isinstance(principal, Operator):
        return Actor("token", principal.via) if principal.via else Actor("operator")
    names = {
        "user": principal.user,
        "group": ", ".join(sorted(principal.groups)),
        "site": principal.site,
        "tenant": principal.tenant,
    }
    kind = next((kind for kind, name in names.items() if name), "nobody")
    return Actor(kind, names.get(kind) or "", principal.site, principal.tenant)


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
    """All tenants and sites, by name; `number` grows with each change, `mac` is over all of it."""

    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    number: int = 0
    mac: bytes | None = None

    @property
    def master(self) -> str | None:
        """Name of the master tenant."""
        return next((tenant.name for tenant in self.tenants.values() if tenant.master), None)
