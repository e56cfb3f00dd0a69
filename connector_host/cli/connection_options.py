"""The options of the commands about connections, and the change that they ask for."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from connector_host.app import App
from connector_host.cli.secret_sources import refuse_left_over, secret_from
from connector_host.host.connections.drafting import refuse_misplaced
from connector_host.host.text_values import read_text
from connector_host.model.connection import Change, HealthCheck, Selection, State, VaultReference
from connector_host.model.errors import WrongUse
from connector_host.model.invocation_errors import InvalidInput
from connector_host.model.manifest import Manifest

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
    click.option(
        "--share-to-internal-sites/--no-share-to-internal-sites",
        "shared_to_internal_sites",
        default=None,
        help="Whether every internal site may use it.",
    ),
    click.option("--recipient-site", help="Where events of a shared connection go; '' for nowhere."),
    click.option("--tenant", "tenants", multiple=True, help="A tenant it is shared to; may be repeated; '' for none."),
    click.option("--agent", help="The agent it runs through; '' for none."),
    click.option("--description", help="What it is for, in your words."),
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
    click.option("--only-active/--only-inactive", "only_active", default=None, help="Those in use, or not."),
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


def selection_of(app: App, given: Mapping[str, Any], limit: int | None = None, after: str = "") -> Selection:
    """Return the selection that the options describe; raises UnknownPlugin."""
    if given["plugin"] is not None:
        app.plugins.plugin(given["plugin"])
    return Selection(
        plugin=given["plugin"],
        site=given["in_site"],
        active=given["only_active"],
        state=STATES[given["state"]] if given["state"] else None,
        name=given["name"],
        after=after,
        limit=limit,
    )


_PLAIN = ("site", "shared_to_internal_sites", "recipient_site", "agent", "description", "active")
_SEVERAL = ("tenants", "allowed_users", "allowed_groups", "admin_users", "admin_groups")


def values_of(manifest: Manifest, parameters: tuple[str, ...], secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return a connection's values as --set and --secret give them, by their names."""
    properties = manifest.connection["properties"]
    plain = {name: _read(name, text, properties) for name, text in _pairs(parameters, "--set")}
    refuse_misplaced(manifest, plain, [name for name, _ in _pairs(secrets, "--secret")])
    return plain | _secrets(_pairs(secrets, "--secret"), properties)


def change_of(
    app: App,
    plugin: str,
    given: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
    rename: str | None = None,
    remove_secrets: tuple[str, ...] = (),
) -> Change:
    """Make a Change of what add and edit were given; `before` is the connection as it stands."""
    properties = app.plugins.plugin(plugin).connection["properties"]
    parameters: dict[str, Any] = {}
    for name, text in _pairs(given["parameters"], "--set"):
        parameters[name] = None if before is not None and text == "" else _read(name, text, properties)
    secrets = _secrets(_pairs(given["secrets"], "--secret"), properties)
    vault = {name: reference_of(text) if text else None for name, text in _pairs(given["vault"], "--vault")}
    fields = {name: given[name] for name in _PLAIN if given[name] is not None}
    fields = {name: None if value == "" and name != "description" else value for name, value in fields.items()}
    fields |= {name: tuple(filter(None, given[name])) for name in _SEVERAL if given[name]}
    if rename is not None:
        fields["name"] = rename
    fields |= _health(given, (before or {}).get("health_check"))
    version = before["version"] if before is not None else None
    return Change(fields, parameters, secrets, remove_secrets, vault, version)


def _health(given: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    minutes, failures, mail = (given[f"health_check_{name}"] for name in ("minutes", "failures", "mail"))
    if minutes is None and failures is None and not mail:
        return {}
    if minutes == 0:
        return {"health_check": None}
    old = before or {}
    if minutes is None and not old:
        raise WrongUse("A health check needs --health-check-minutes.")
    recipients = tuple(filter(None, mail)) if mail else tuple(old.get("recipients", ()))
    return {
        "health_check": HealthCheck(
            minutes or old["interval_minutes"], failures or old.get("failures_before_mail", 3), recipients
        )
    }


def reference_of(text: str) -> VaultReference:
    """Return the vault reference written as VAULT:PATH#FIELD, or as JSON; raises WrongUse."""
    try:
        if text.lstrip().startswith("{"):
            return VaultReference(**json.loads(text))
    except (ValueError, TypeError):
        raise WrongUse('A vault reference in JSON is {"vault": …, "path": …, "field": …}.') from None
    vault, colon, rest = text.partition(":")
    path, hash_sign, field = rest.rpartition("#")
    if not colon or not hash_sign or not vault or not path or not field:
        raise WrongUse("A vault reference is written VAULT:PATH#FIELD, as corp-vault:secret/pagerduty#api_key.")
    return VaultReference(vault, path, field)


def secrets_by_connection(app: App, document: Any, texts: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the secrets for an import, written NAME.PARAMETER=SOURCE: names may hold dots, so the last one divides."""
    listed = document.get("connections") if isinstance(document, Mapping) else None
    plugins = {one.get("name"): one.get("plugin") for one in listed or () if isinstance(one, Mapping)}
    found: dict[str, dict[str, Any]] = {}
    for place, source in _pairs(texts, "--secret"):
        name, dot, parameter = place.rpartition(".")
        if not dot or not name or not parameter:
            raise WrongUse("--secret of an import takes NAME.PARAMETER=SOURCE, as prod.api_key=env:PD_KEY.")
        manifest = app.plugins.plugins.get(str(plugins.get(name)))
        properties = {} if manifest is None else manifest.connection["properties"]
        text = secret_from(parameter, source, properties.get(parameter, {}))
        found.setdefault(name, {})[parameter] = _read(parameter, text, properties)
    return found


def _pairs(texts: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            source = "env:VARIABLE, file:PATH or -" if option == "--secret" else "VALUE"
            raise WrongUse(f"{option} takes NAME={source}.")
        pairs.append((name, value))
    return pairs


def _read(name: str, text: str, properties: Mapping[str, Any]) -> Any:
    """Return the value that text means to a parameter; raises WrongUse, which quotes nothing of a secret."""
    try:
        return read_text(text, properties.get(name, {}), name)
    except InvalidInput as error:
        raise WrongUse(f"{error} {error.failure.detail}") from None


def _secrets(sources: Sequence[tuple[str, str]], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return secrets by their names; raises WrongUse where standard input holds more than was asked for."""
    read = {
        name: _read(name, secret_from(name, source, properties.get(name, {})), properties) for name, source in sources
    }
    if any(source == "-" for _, source in sources):
        refuse_left_over()
    return read
