"""The fields of a connection beside its parameters: of the right type, and naming what there is."""

import re
from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any

from connector_host.contract.connection import Connection, HealthCheck
from connector_host.contract.errors import BadSetting, UnknownPlace
from connector_host.contract.places import PlaceMap
from connector_host.kernel.access import home_tenant
from connector_host.kernel.naming import checked_name
from connector_host.kernel.schema import did_you_mean

MADE_HERE = {"id", "version", "plugin", "plugin_version", "parameters", "secrets", "vault"}
FIELDS = {one.name for one in dataclass_fields(Connection)} - MADE_HERE
PEOPLE = ("allowed_users", "allowed_groups", "admin_users", "admin_groups")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_TEXT = ((str, type(None)), "text, or nothing")
_NAMES = ((tuple,), "a list of names")
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "name": ((str,), "text"),
    "description": ((str,), "text"),
    "active": ((bool,), "true or false"),
    "shared_to_internal_sites": ((bool,), "true or false"),
    "health_check": ((HealthCheck, type(None)), "a health check, or nothing"),
    **dict.fromkeys(("site", "recipient_site", "agent"), _TEXT),
    **dict.fromkeys((*PEOPLE, "tenants"), _NAMES),
}


def with_fields(connection: Connection, fields: Mapping[str, Any], places: PlaceMap) -> Connection:
    """Return the connection with these fields; raises BadSetting, UnknownPlace where they make no sense."""
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise BadSetting(f"A connection has no field '{unknown[0]}'.{did_you_mean(unknown[0], sorted(FIELDS))}")
    connection = replace(connection, **{name: _fitting(name, value) for name, value in fields.items()})
    checked_name(connection.name, "connection")
    if connection.agent is not None:
        checked_name(connection.agent, "connection's agent")
    for several in PEOPLE:
        for one in getattr(connection, several):
            checked_name(one, "user or group")
    _check_places(connection, places)
    if connection.health_check:
        _check_health(connection.health_check)
    return connection


def _fitting(name: str, value: Any) -> Any:
    """Return a field's value in the type it has; raises BadSetting."""
    kinds, words = _TYPES[name]
    value = tuple(value) if kinds == (tuple,) and isinstance(value, list) else value
    names = value if isinstance(value, tuple) else ()
    if not isinstance(value, kinds) or not all(isinstance(one, str) for one in names):
        raise BadSetting(f"The connection's field '{name}' must be {words}.")
    return value


def _check_health(check: HealthCheck) -> None:
    if not all(type(one) is int and one >= 1 for one in (check.interval_minutes, check.failures_before_mail)):
        raise BadSetting("The health check's interval and the number of failures must each be at least one.")
    for recipient in check.recipients:
        if not isinstance(recipient, str) or not _ADDRESS.fullmatch(recipient):
            raise BadSetting(f"{recipient!r} is no e-mail address.")


def _check_places(connection: Connection, places: PlaceMap) -> None:
    for name in filter(None, (connection.site, connection.recipient_site)):
        if name not in places.sites:
            hint = did_you_mean(name, list(places.sites)) or " Add it: connector-host sites add NAME"
            raise UnknownPlace(f"There is no site '{name}'.{hint}")
    for name in connection.tenants:
        if name not in places.tenants:
            hint = did_you_mean(name, list(places.tenants)) or " Add it: connector-host tenants add NAME"
            raise UnknownPlace(f"There is no tenant '{name}'.{hint}")
    if connection.site and connection.shared_to_internal_sites:
        raise BadSetting("A connection has one site, or is shared to internal sites; not both.")
    if connection.recipient_site and not connection.shared_to_internal_sites:
        raise BadSetting("A recipient site belongs to a connection that is shared to internal sites.")
    if connection.recipient_site and not places.sites[connection.recipient_site].internal:
        raise BadSetting(f"The recipient site '{connection.recipient_site}' is no internal site.")
    if connection.tenants and home_tenant(places, connection) != places.master:
        raise BadSetting("Only a connection of the master tenant can be shared to tenants.")
    if places.master in connection.tenants:
        raise BadSetting(f"'{places.master}' is the master tenant; a connection is shared to the others.")
