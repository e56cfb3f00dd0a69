"""The database as it may be looked after: by the operator alone."""

from collections.abc import Sequence
from pathlib import Path

from connector_host.host.access import operator_only
from connector_host.host.audit import Audit
from connector_host.model.caller import Principal
from connector_host.ports.stores import Store


class StoreCare:
    """Checks the database, and backs it up while it is in use."""

    def __init__(self, store: Store, audit: Audit, caller: Principal) -> None:
        self._store = store
        self._audit = audit
        self._caller = caller

    async def check(self) -> Sequence[str]:
        """Return what is damaged, read from the whole file; empty where all is well. Raises NotAllowed."""
        operator_only(self._caller, "check the store")
        return await self._store.check()

    async def back_up(self, target: Path) -> None:
        """Write all that is committed into a new file; raises NotAllowed, and StoreError where there is a file."""
        operator_only(self._caller, "back the store up")
        await self._store.back_up(target)
        await self._audit.record("store.backed_up", self._caller, target.name)
