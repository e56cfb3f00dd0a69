"""Brings a connection that was made for an older version of its plugin into the form that today's manifest asks for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_host.contract.connection import VaultReference
from connector_host.contract.manifest import Manifest, Migration


@dataclass(frozen=True, slots=True)
class Values:
    """A connection's parameters, secrets and vault references, by name."""

    parameters: Mapping[str, Any]
    secrets: Mapping[str, Any] = field(repr=False)
    vault: Mapping[str, VaultReference]


def upgraded(manifest: Manifest, made_for: str, values: Values) -> Values:
    """Apply the manifest's migrations that are newer than the version a connection was made for."""
    for migration in manifest.migrations:
        if _order(made_for) < _order(migration.version) <= _order(manifest.version):
            values = _applied(migration, values)
    secret, plain = manifest.secret_names, dict(values.parameters)
    became_secret = {name: plain.pop(name) for name in list(plain) if name in secret}
    return Values(plain, {**became_secret, **values.secrets}, values.vault) if became_secret else values


def _applied(migration: Migration, values: Values) -> Values:
    def moved(named: Mapping[str, Any]) -> dict[str, Any]:
        return {
            migration.rename.get(name, name): value for name, value in named.items() if name not in migration.remove
        }

    parameters, secrets, vault = moved(values.parameters), moved(values.secrets), moved(values.vault)
    there = parameters.keys() | secrets.keys() | vault.keys()
    added = {name: value for name, value in migration.set.items() if name not in there}
    return Values({**parameters, **added}, secrets, vault)


def _order(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.partition("-")[0])]
