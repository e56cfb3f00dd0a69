"""Password vaults: values are looked up through the vault connection's own command, and kept for a short time."""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar

import anyio

from connector_host.host.access import Right, rights
from connector_host.host.audit import Audit
from connector_host.host.redaction import Redactor, leaves
from connector_host.host.results import Collector
from connector_host.host.secrets import mask
from connector_host.host.sites import SignedSites
from connector_host.model.authoring import Item, Page
from connector_host.model.caller import Actor, Caller
from connector_host.model.connection import StoredConnection, VaultReference
from connector_host.model.failure import Kind
from connector_host.model.guarded import Guarded
from connector_host.model.invocation import Progress
from connector_host.model.invocation_errors import InvocationError, SecretUnavailable, UnexpectedReply
from connector_host.model.manifest import Command
from connector_host.model.result import Result
from connector_host.ports.parts import Clock
from connector_host.ports.stores import Store

_ON_THE_WAY: ContextVar[tuple[str, ...]] = ContextVar("vaults on the way", default=())


class Credential(Guarded, frozen=True):
    """What a vault handed out, and for how many seconds it says that it may be kept."""

    hidden: ClassVar[frozenset[str]] = frozenset({"value"})
    value: Any
    lease_seconds: float | None = None


class CachedSecret(Guarded, frozen=True):
    """A value looked up, and until when it may be used without asking again (monotonic seconds)."""

    hidden: ClassVar[frozenset[str]] = frozenset({"value"})
    value: Any
    until: float
    vault_version: int


Fetch = Callable[[StoredConnection, Mapping[str, Any]], Awaitable[tuple[Result, Credential | None]]]


class Vaults:
    """Every look-up goes through here, whoever needs the value; nothing is ever written to disk."""

    def __init__(self, store: Store, sites: SignedSites, clock: Clock, audit: Audit, seconds: float) -> None:
        self._store = store
        self._sites = sites
        self._clock = clock
        self._audit = audit
        self._seconds = seconds
        self._fetch: Fetch | None = None
        self._kept: dict[tuple[str, int, str, str], CachedSecret] = {}
        self._asking: dict[tuple[str, int, str, str], anyio.Lock] = {}

    def attach(self, fetch: Fetch) -> None:
        """Take the host's way of running a vault connection's command."""
        self._fetch = fetch

    async def look_up(self, reference: VaultReference, asker: str, parameter: str) -> CachedSecret:
        """Return the value of a reference by the vault's id, for a connection's parameter.

        Raises SecretUnavailable naming vault connection, path and field.
        """
        vault = await self._store.connections.get(connection_id=reference.vault)
        if vault is None:
            raise SecretUnavailable(f"The vault connection for the parameter ({parameter}) is not there any more.")
        if not await self.may_use(vault, reference.by):
            raise SecretUnavailable(
                f"{reference.by}, who made the vault reference for the parameter ({parameter}), has no right to the "
                f"vault connection any more.",
                assistance="Have somebody who may use the vault make the reference anew.",
            )
        if reference.vault in _ON_THE_WAY.get():
            raise SecretUnavailable(f"The vault connection '{vault.connection.name}' needs a value from itself.")
        key = (reference.vault, vault.connection.version, reference.path, reference.field)
        async with self._asking.setdefault(key, anyio.Lock()):
            kept = self._kept.get(key)
            if kept is None or kept.until <= self._clock.monotonic():
                kept = await self._ask(vault, reference, asker, parameter)
                self._forget_outdated()
                self._kept[key] = kept
        return kept

    def forget(self, reference: VaultReference) -> None:
        """Drop what is kept of a reference, so that the vault is asked at the next use."""
        where = (reference.vault, reference.path, reference.field)
        for key in [key for key in self._kept if (key[0], *key[2:]) == where]:
            del self._kept[key]

    async def may_use(self, vault: StoredConnection, by: Caller | None) -> bool:
        """Whether who made a reference still has a right to the vault; the operator, who is None here, always has."""
        return by is None or Right.USE in rights(await self._sites.load(), vault.connection, by)

    async def _ask(
        self, vault: StoredConnection, reference: VaultReference, asker: str, parameter: str
    ) -> CachedSecret:
        assert self._fetch is not None  # noqa: S101 - the host attaches itself before anything runs
        token = _ON_THE_WAY.set((*_ON_THE_WAY.get(), reference.vault))
        try:
            result, credential = await self._fetch(vault, {"path": reference.path, "field": reference.field})
        finally:
            _ON_THE_WAY.reset(token)
        if credential is None or result.errors:
            raise _refusal(vault.connection.name, reference, parameter, result)
        await self._audit.record(
            "credential.fetched",
            Actor("connection", asker),
            vault.connection,
            path=reference.path,
            field=reference.field,
            parameter=parameter,
        )
        lease = credential.lease_seconds
        seconds = min(self._seconds, lease) if lease else self._seconds
        return CachedSecret(credential.value, self._clock.monotonic() + seconds, vault.connection.version)

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


Reveal = Callable[[Credential], None]


class CredentialCollector(Collector):
    """The outcome of a credential command: an object whose `value` is the secret, `lease_seconds` how long it holds."""

    def __init__(self, command: Command, redactor: Redactor, progress: Progress | None, reveal: Reveal | None) -> None:
        super().__init__(command, redactor, progress)
        self._reveal = reveal

    def add(self, item: Item | Page) -> None:
        """Take the credential; whoever reads the result sees a mask."""
        if isinstance(item, Item) and not isinstance(item.value, Exception):
            item = Item(item.key, self._masked(item.value), item.failure)
        super().add(item)

    def _masked(self, document: Any) -> Any:
        if not isinstance(document, Mapping) or document.get("value") is None:
            return UnexpectedReply(
                "The vault plugin gave no value.", detail="Its item must be an object with a `value`."
            )
        value, lease = document["value"], document.get("lease_seconds")
        for text in leaves(value):
            self.redactor.learn(text)
        if self._reveal is not None:
            self._reveal(Credential(value, lease if isinstance(lease, int | float) and lease > 0 else None))
        return {**document, "value": mask(value)}
