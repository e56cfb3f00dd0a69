"""The desks of a host: connections, places, keys, audit, health checks, transfer, each a protocol."""

from typing import Any, Protocol

from connector_host.contract.audit import AuditHead, AuditRecord, AuditVerdict
from connector_host.contract.connection import (
    EVERYTHING,
    OPERATOR,
    Caller,
    Change,
    Connection,
    Outcome,
    Round,
    Selection,
    StoredConnection,
)
from connector_host.contract.places import PlaceMap, Site, Tenant


class ConnectionDesk(Protocol):
    """Connections; secrets go in and never come out. Each method does only what its caller may."""

    async def add(self, name: str, plugin: str, change: Change, caller: Caller = OPERATOR) -> Connection:
        """Keep a new one; raises UnknownPlugin, ConnectionExists, NotAllowed, UnknownPlace, BadSetting."""

    async def edit(self, name: str, change: Change, caller: Caller = OPERATOR) -> Connection:
        """Change one; raises UnknownConnection, ConnectionChanged, NotAllowed, UnknownPlace, BadSetting."""

    async def edit_many(self, selection: Selection, change: Change, caller: Caller = OPERATOR) -> list[Outcome]:
        """Change all selected, each by itself."""

    async def copy(self, name: str, new_name: str, change: Change, caller: Caller = OPERATOR) -> Connection:
        """Keep another like this one, changed."""

    async def remove(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget one; raises UnknownConnection, NotAllowed, BadSetting."""

    async def upgrade(self, caller: Caller = OPERATOR) -> list[Outcome]:
        """Bring those saved for another version of their plugin up to today's."""

    async def list(self, selection: Selection = EVERYTHING, caller: Caller = OPERATOR) -> list[StoredConnection]:
        """Those selected, by name."""

    async def show(self, name: str, caller: Caller = OPERATOR) -> dict[str, Any]:
        """One as `schemas/connection.schema.json` describes it; raises UnknownConnection."""


class PlaceDesk(Protocol):
    """Tenants and sites."""

    async def map(self, caller: Caller = OPERATOR) -> PlaceMap:
        """All of them."""

    async def put_tenant(self, name: str, *, master: bool = False, caller: Caller = OPERATOR) -> Tenant:
        """Add a tenant, or change it; raises BadSetting."""

    async def put_site(
        self, name: str, *, tenant: str | None = None, internal: bool = True, caller: Caller = OPERATOR
    ) -> Site:
        """Add a site, or change it; raises BadSetting, UnknownPlace."""

    async def remove_tenant(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget a tenant; raises UnknownPlace, BadSetting."""

    async def remove_site(self, name: str, caller: Caller = OPERATOR) -> None:
        """Forget a site; raises UnknownPlace, BadSetting."""


class KeyDesk(Protocol):
    """Master keys."""

    async def rotate(self, caller: Caller = OPERATOR) -> int:
        """Put every data key under a new master key; how many."""

    async def retire(self, caller: Caller = OPERATOR) -> None:
        """Forget the older master keys; raises SealError while one is needed."""


class AuditDesk(Protocol):
    """The audit; the operator's."""

    async def newest(self, limit: int, caller: Caller = OPERATOR) -> list[AuditRecord]:
        """Return the newest records, newest first."""

    async def verify(self, noted: AuditHead | None = None, caller: Caller = OPERATOR) -> AuditVerdict:
        """Check the whole chain, and that it still holds what somebody noted."""


class HealthDesk(Protocol):
    """Health checks."""

    @property
    def can_notify(self) -> bool:
        """Whether anything is set up that tells people."""

    async def run_due(self, caller: Caller = OPERATOR) -> Round:
        """Run every check that is due, once."""

    async def serve(self, caller: Caller = OPERATOR) -> None:
        """Run what is due, for ever."""


class TransferDesk(Protocol):
    """Export and import."""

    async def export(
        self, selection: Selection = EVERYTHING, *, public_key: bytes | None = None, caller: Caller = OPERATOR
    ) -> dict[str, Any]:
        """Return connections as a document for YAML, their secrets sealed to a public key or left out."""

    async def take(
        self,
        document: Any,
        *,
        private_key: bytes | None = None,
        replace_existing: bool = False,
        caller: Caller = OPERATOR,
    ) -> list[Outcome]:
        """Add an exported document's connections."""
