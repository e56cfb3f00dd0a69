"""What keeps a connection from being used now, or by one command: with the reason, and what to do."""

from collections.abc import Container, Mapping
from typing import Any

from connector_host.contract.connection import StoredConnection
from connector_host.contract.errors import ConnectionUnavailable, InvalidInput
from connector_host.contract.manifest import Command, Manifest


def refuse_unusable(stored: StoredConnection, agents: Container[str], *, draft: bool, take_in: bool) -> None:
    """Raise ConnectionUnavailable, with the reason, where nobody may use the connection now."""
    connection = stored.connection
    if stored.damage:
        advice = "Restore the database from a backup, or remove the connection and add it again."
        raise ConnectionUnavailable(stored.damage, assistance=advice)
    if not connection.active and not draft:
        raise not_active(connection.name)
    if connection.agent is not None and connection.agent not in agents:
        raise ConnectionUnavailable(
            f"The connection '{connection.name}' runs through the agent '{connection.agent}', and there is no "
            f"agent of that name.",
            assistance="Start the agent, or choose another: connector-host connections edit NAME --agent ''",
        )
    if take_in and connection.shared_to_internal_sites and connection.recipient_site is None:
        raise ConnectionUnavailable(
            f"The connection '{connection.name}' is shared to internal sites and has no recipient site for its events.",
            assistance="Choose one: connector-host connections edit NAME --recipient-site SITE",
        )


def not_active(name: str) -> ConnectionUnavailable:
    """Return the refusal of a connection that was made inactive."""
    return ConnectionUnavailable(
        f"The connection '{name}' is not active.",
        assistance=f"Activate it: connector-host connections edit {name} --active",
    )


def refuse_incomplete(manifest: Manifest, command: Command, values: Mapping[str, Any]) -> None:
    """Raise InvalidInput where the connection lacks a parameter that this command needs (`needed_by`)."""
    for name, schema in manifest.connection["properties"].items():
        if command.id not in schema.get("needed_by", ()) or values.get(name):
            continue
        if values.get(schema.get("unless_given", "")):
            continue
        how = f"--secret {name}=-" if schema.get("writeOnly") else f"--set {name}=…"
        reason = f"The connection has none, and {command.title} needs one."
        raise InvalidInput(schema["title"], reason, f"Add it: connector-host connections edit NAME {how}")
