"""The options that the commands about connections share: a connection's fields, and which connections are meant."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from connector_host.contract.connection import Selection, State
from connector_host.contract.face import Entrance

STATES = {state.value.replace(" ", "-"): state for state in State}
Decorated = Callable[..., Any]

_FIELDS = [
    click.option(
        "--set", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; an empty value takes it away."
    ),
    click.option(
        "--secret",
        "secrets",
        multiple=True,
        metavar="NAME=env:VAR|file:PATH|-",
        help="A secret, never on the command line itself.",
    ),
    click.option(
        "--vault",
        "vault",
        multiple=True,
        metavar="NAME=VAULT:PATH#FIELD",
        help="Look this parameter up in a password vault; an empty value takes the reference away.",
    ),
    click.option("--site", help="The one site it belongs to; '' for none."),
    click.option("--share-to-internal-sites/--no-share-to-internal-sites", "shared_to_internal_sites", default=None),
    click.option("--recipient-site", help="Where events of a shared connection go; '' for nowhere."),
    click.option("--tenant", "tenants", multiple=True, help="A tenant it is shared to; may be repeated; '' for none."),
    click.option("--agent", help="The agent it runs through; '' for none."),
    click.option("--description"),
    click.option("--allow-user", "allowed_users", multiple=True, help="Only these may use it; may be repeated."),
    click.option("--allow-group", "allowed_groups", multiple=True, help="Only these may use it; may be repeated."),
    click.option("--admin-user", "admin_users", multiple=True, help="These may change it; may be repeated."),
    click.option("--admin-group", "admin_groups", multiple=True, help="These may change it; may be repeated."),
    click.option("--active/--inactive", default=None, help="Whether it may be used."),
    click.option("--health-check-minutes", type=click.IntRange(0), help="Test it every so many minutes; 0 for never."),
    click.option("--health-check-failures", type=click.IntRange(1), help="Failures in a row before an e-mail."),
    click.option("--health-check-mail", multiple=True, help="A recipient; may be repeated; '' for none."),
]
_SELECTION = [
    click.option("--plugin", help="Those of this plugin."),
    click.option("--in-site", metavar="SITE", help="Those that belong to this site."),
    click.option("--state", type=click.Choice(list(STATES)), help="Those that stand like this."),
    click.option("--name", metavar="PATTERN", help="Those whose name fits, as 'prod-*'."),
    click.option("--only-active/--only-inactive", "only_active", default=None),
]


def field_options(function: Decorated) -> Decorated:
    """Add the options for a connection's fields, parameters, secrets and vault references."""
    return _with(_FIELDS, function)


def selection_options(function: Decorated) -> Decorated:
    """Add the options that say which connections are meant."""
    return _with(_SELECTION, function)


def _with(options: Sequence[Callable[[Decorated], Decorated]], function: Decorated) -> Decorated:
    for option in reversed(options):
        function = option(function)
    return function


def selection_of(entrance: Entrance, given: Mapping[str, Any], limit: int | None = None, after: str = "") -> Selection:
    """Return the selection that the options describe; raises UnknownPlugin."""
    if given["plugin"] is not None:
        entrance.catalogue.plugin(given["plugin"])
    return Selection(
        plugin=given["plugin"],
        site=given["in_site"],
        active=given["only_active"],
        state=STATES[given["state"]] if given["state"] else None,
        name=given["name"],
        after=after,
        limit=limit,
    )
