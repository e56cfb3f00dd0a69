"""Looks values up in password vaults: through the vault connection's own command, kept for a short time in memory."""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import anyio

from connector_host.contract.connection import StoredConnection, VaultReference
from connector_host.contract.errors import InvocationError, SecretUnavailable
from connector_host.contract.model import Kind, Result
from connector_host.contract.ports import Clock
from connector_host.contract.stores import Store
from connector_host.kernel.audit import Auditor

_ON_THE_WAY: ContextVar[tuple[str, ...]] = ContextVar("vaults on the way", default=())


@dataclass(frozen=True, slots=True)
class Credential:
    """What a vault handed out, and for how many seconds it says that it may be kept."""

    value: Any = field(repr=False)
    lease_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A value looked up, and until when it may be used without asking again (monotonic seconds)."""

    value: Any = field(repr=False)
    until: float


Fetch = Callable[[StoredConnection, Mapping[str, Any]], Awaitable[tuple[Result, Credential | None]]]


class VaultDesk:
    """Every look-up goes through here, whoever needs the value; nothing is ever written to disk."""

    def __init__(self, store: Store, clock: Clock, auditor: Auditor, seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._auditor = auditor
        self._seconds = seconds
        self._fetch: Fetch | None = None
        self._kept: dict[tuple[str, int, str, str], Kept] = {}
        self._asking: dict[tuple[str, int, str, str], anyio.Lock] = {}

    def attach(self, fetch: Fetch) -> None:
        """Take the host's way of running a vault connection's command."""
        self._fetch = fetch

    async def look_up(self, reference: VaultReference, asker: str, parameter: str) -> Kept:
        """Return the value of a reference by the vault's id, for a connection's parameter.

        Raises SecretUnavailable naming vault connection, path and field.
        """
        vault = await self._store.connections.get(connection_id=reference.vault)
        if vault is None:
            raise SecretUnavailable(f"The vault connection for the parameter ({parameter}) is not there any more.")
        if reference.vault in _ON_THE_WAY.get():
            raise SecretUnavailable(f"The vault connection '{vault.connection.name}' needs a value from itself.")
        key = (reference.vault, vault.connection.version, reference.path, reference.field)
        async with self._asking.setdefault(key, anyio.Lock()):
            kept = self._kept.get(key)
            if kept is None or kept.until <= self._clock.monotonic() or not vault.connection.active:
                kept = await self._ask(vault, reference, asker, parameter)
                self._forget_outdated()
                self._kept[key] = kept
        return kept

    async def _ask(self, vault: StoredConnection, reference: VaultReference, asker: str, parameter: str) -> Kept:
        assert self._fetch is not None  # noqa: S101 - the host attaches itself before anything runs
        token = _ON_THE_WAY.set((*_ON_THE_WAY.get(), reference.vault))
        try:
            result, credential = await self._fetch(vault, {"path": reference.path, "field": reference.field})
        finally:
            _ON_THE_WAY.reset(token)
        if credential is None or result.errors:
            raise _refusal(vault.connection.name, reference, parameter, result)
        await self._auditor.record(
            "credential.fetched",
            f"connection {asker}",
            vault.connection,
            path=reference.path,
            field=reference.field,
            parameter=parameter,
        )
        lease = credential.lease_seconds
        seconds = min(self._seconds, lease) if lease else self._seconds
        return Kept(credential.value, self._clock.monotonic() + seconds)

    def _forget_outdated(self) -> None:
        now = self._clock.monotonic()
        for key in [key for key, kept in self._kept.items() if kept.until <= now]:
            del self._kept[key]
            if key in self._asking and not self._asking[key].locked():
                del self._asking[key]


def _refusal(vault: str, reference: VaultReference, parameter: str, result: Result) -> InvocationError:
    said = result.errors[0] if result.errors else None
    return SecretUnavailable(
        f"The vault connection '{vault}' gave no value for the path '{reference.path}', field '{reference.field}', "
        f"which the parameter ({parameter}) needs: {said.message if said else 'nothing came back.'}",
        detail=said.detail if said else "",
        assistance=said.assistance if said else f"Test it: connector-host vault test {vault} --path … --field …",
        kind=Kind(said.kind) if said else None,
        http_status=said.http_status if said else None,
        reference=said.reference if said else None,
    )
