"""Who may use and who may administer a connection: every rule of the table, and every way to come by it."""

from itertools import product

import pytest

from connector_host.host.access import RULES, Naming, Right, Standing, naming, rights, standing
from connector_host.model.caller import OPERATOR, Caller, Operator, Principal, Site, SiteMap, Tenant
from connector_host.model.connection import Connection

PLACES = SiteMap(
    {name: Tenant(name, master=name == "us") for name in ("us", "acme", "bolt")},
    {
        site.name: site
        for site in (
            Site("hq", "us"),
            Site("lab", "us"),
            Site("shop", "us", internal=False),
            Site("acme-soc", "acme"),
            Site("acme-shop", "acme", internal=False),
            Site("bolt-soc", "bolt"),
        )
    },
)
USE, ALL, NONE = {Right.USE}, {Right.USE, Right.ADMINISTER}, set[Right]()
# What each rule grants: to a named administrator, to a named user, to anyone where no users are named, to others.
TABLE = {
    Standing.UNPLACED: (ALL, USE, USE, NONE),
    Standing.OWN_INTERNAL: (ALL, USE, USE, NONE),
    Standing.OWN_CLIENT: (ALL, USE, NONE, NONE),
    Standing.SHARED_INTERNAL: (ALL, USE, USE, NONE),
    Standing.TENANT_INTERNAL: (USE, USE, USE, NONE),
    Standing.TENANT_OTHER: (USE, USE, NONE, NONE),
    Standing.ELSEWHERE: (NONE, NONE, NONE, NONE),
}
WHERE = {
    "own": {"site": "hq"},
    "client": {"site": "shop"},
    "acme's": {"site": "acme-soc"},
    "shared": {"shared_to_internal_sites": True},
    "shared, to a site": {"shared_to_internal_sites": True, "recipient_site": "hq"},
    "shared in acme": {"shared_to_internal_sites": True, "recipient_site": "acme-soc"},
    "to a tenant": {"site": "hq", "tenants": ("acme",)},
    "shared, and to a tenant": {"shared_to_internal_sites": True, "tenants": ("acme",)},
    "to a tenant without a right to": {"site": "acme-soc", "tenants": ("bolt",)},
    "without a site": {},
    "without a site, to a tenant": {"tenants": ("acme",)},
    "at a site that is gone": {"site": "nowhere"},
}
CALLERS: dict[str, dict[str, str]] = {
    "nowhere": {"user": "ann"},
    "hq": {"site": "hq"},
    "hq, and says so": {"site": "hq", "tenant": "us"},
    "hq, and says otherwise": {"site": "hq", "tenant": "acme"},
    "lab": {"site": "lab"},
    "shop": {"site": "shop"},
    "acme-soc": {"site": "acme-soc"},
    "acme-shop": {"site": "acme-shop"},
    "acme": {"tenant": "acme"},
    "bolt-soc": {"site": "bolt-soc"},
    "us": {"tenant": "us"},
    "unknown site": {"site": "mars"},
    "unknown tenant": {"tenant": "mars"},
}
UNPLACED, OWN, CLIENT, SHARED, TENANT, OTHER = (
    Standing.UNPLACED, Standing.OWN_INTERNAL, Standing.OWN_CLIENT, Standing.SHARED_INTERNAL, Standing.TENANT_INTERNAL, Standing.TENANT_OTHER,
)  # fmt: skip
# Where each caller stands to each connection; what is not here is elsewhere.
STANDS = {
    ("own", "hq"): OWN, ("own", "hq, and says so"): OWN,
    ("client", "shop"): CLIENT,
    ("acme's", "acme-soc"): OWN,
    ("shared", "hq"): SHARED, ("shared", "hq, and says so"): SHARED, ("shared", "lab"): SHARED,
    ("shared, to a site", "hq"): SHARED, ("shared, to a site", "hq, and says so"): SHARED, ("shared, to a site", "lab"): SHARED,
    ("shared in acme", "acme-soc"): SHARED,
    ("to a tenant", "hq"): OWN, ("to a tenant", "hq, and says so"): OWN, ("to a tenant", "acme-soc"): TENANT,
    ("to a tenant", "acme-shop"): OTHER, ("to a tenant", "acme"): OTHER,
    ("shared, and to a tenant", "hq"): SHARED, ("shared, and to a tenant", "hq, and says so"): SHARED,
    ("shared, and to a tenant", "lab"): SHARED, ("shared, and to a tenant", "acme-soc"): TENANT,
    ("shared, and to a tenant", "acme-shop"): OTHER, ("shared, and to a tenant", "acme"): OTHER,
    ("to a tenant without a right to", "acme-soc"): OWN,
    ("without a site", "nowhere"): UNPLACED,
    ("without a site, to a tenant", "nowhere"): UNPLACED, ("without a site, to a tenant", "acme-soc"): TENANT,
    ("without a site, to a tenant", "acme-shop"): OTHER, ("without a site, to a tenant", "acme"): OTHER,
}  # fmt: skip


def test_the_table_is_as_written_here() -> None:
    assert {place: tuple(map(set, row.values())) for place, row in RULES.items()} == TABLE
    assert all(list(row) == [Naming.ADMIN, Naming.USER, Naming.NOBODY, Naming.OTHERS] for row in RULES.values())


@pytest.mark.parametrize(("where", "who"), list(product(WHERE, CALLERS)))
def test_where_each_caller_stands(where: str, who: str) -> None:
    connection = Connection("c", "p", **WHERE[where])  # type: ignore[arg-type]
    caller = Caller(user="ann", site=CALLERS[who].get("site"), tenant=CALLERS[who].get("tenant"))
    expected = STANDS.get((where, who), Standing.ELSEWHERE)
    assert standing(PLACES, connection, caller) is expected
    assert rights(PLACES, connection, caller) == RULES[expected][Naming.NOBODY]
    assert rights(PLACES, connection, OPERATOR) == ALL
    assert rights(PLACES, connection, Caller()) == NONE


@pytest.mark.parametrize(
    ("named", "user", "groups", "expected"),
    [
        ({}, "ann", (), Naming.NOBODY),
        ({"allowed_users": ("ann",)}, "ann", (), Naming.USER),
        ({"allowed_users": ("ann",)}, "bob", ("ann",), Naming.OTHERS),
        ({"allowed_groups": ("soc",)}, "ann", ("hr", "soc"), Naming.USER),
        ({"allowed_groups": ("soc",)}, "soc", (), Naming.OTHERS),
        ({"allowed_groups": ("soc",)}, "ann", (), Naming.OTHERS),
        ({"admin_users": ("ann",)}, "ann", (), Naming.ADMIN),
        ({"admin_users": ("ann",)}, "bob", (), Naming.NOBODY),
        ({"admin_groups": ("leads",), "allowed_users": ("bob",)}, "ann", ("leads",), Naming.ADMIN),
        ({"admin_users": ("ann",), "allowed_users": ("bob",)}, "eve", (), Naming.OTHERS),
        ({"allowed_users": ("ann",)}, None, (), Naming.OTHERS),
    ],
)
def test_who_is_named(
    named: dict[str, tuple[str, ...]], user: str | None, groups: tuple[str, ...], expected: Naming
) -> None:
    assert naming(Connection("c", "p", **named), Caller(user, groups)) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize("nothing", [{}, {"user": ""}, {"groups": ("",)}, {"site": ""}, {"tenant": ""}, {"groups": []}])
def test_no_caller_is_the_operator_however_little_they_are(nothing: dict[str, object]) -> None:
    caller: Principal = Caller(**nothing)  # type: ignore[arg-type]
    assert caller != OPERATOR
    assert not isinstance(caller, Operator)
    assert rights(PLACES, Connection("c", "p", site="hq"), caller) == NONE
