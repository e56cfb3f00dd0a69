"""The database as it may be looked after: by the operator alone."""

from collections.abc import Sequence
from pathlib import Path

from connector_host.host.access import operator_only
from connector_host.host.audit import Audit
from connector_host.host.secrets import Secrets
from connector_host.model.caller import Principal
from connector_host.model.errors import StoreError
from connector_host.ports.stores import Store


class StoreCare:
    """Checks the database, and backs it up while it is in use."""

    def __init__(self, store: Store, audit: Audit, secrets: Secrets, caller: Principal) -> None:
        self._store = store
        self._secrets = secrets
        self._audit = audit
        self._caller = caller

    async def check(self) -> Sequence[str]:
        """Return what is damaged, read from the whole file, and which secrets do not open; empty where all is well.

        Raises NotAllowed.
        """
        operator_only(self._caller, "check the store")
        return [*await self._store.check(), *await self._secrets.unopened()]

    async def back_up_folder(self, folder: Path, *, with_key: bool = False) -> None:
        """Write a back-up into a folder of its own, and read it over; with the master key where that is asked for.

        Raises NotAllowed, and StoreError where the folder is not empty, or the key is no file.
        """
        operator_only(self._caller, "back the store up")
        await self._store.back_up_folder(folder, self._key() if with_key else None)
        await self._audit.record("store.backed_up", self._caller, folder.name, with_key=with_key)

    def _key(self) -> Path:
        if self._secrets.key_file is None:
            raise StoreError("The master key is in no file that could be copied: it is kept where the host finds it.")
        return self._secrets.key_file

    async def restored(self, what: str) -> None:
        """Keep in the audit that a back-up was put back. Raises NotAllowed."""
        operator_only(self._caller, "restore the store")
        await self._audit.record("store.restored", self._caller, what)

    async def back_up(self, target: Path) -> None:
        """Write all that is committed into a new file; raises NotAllowed, and StoreError where there is a file."""
        operator_only(self._caller, "back the store up")
        await self._store.back_up(target)
        await self._audit.record("store.backed_up", self._caller, target.name)
