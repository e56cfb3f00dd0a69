"""The master keys as they may be handled: by the operator alone."""

from connector_host.host.access import operator_only
from connector_host.host.secrets import Secrets
from connector_host.model.caller import Principal


class Keys:
    """The master keys as they may be handled: by the operator alone."""

    def __init__(self, secrets: Secrets, caller: Principal) -> None:
        self._secrets = secrets
        self._caller = caller

    async def rotate(self) -> int:
        """Put every data key under a new master key; how many. Raises NotAllowed, RotationIncomplete, SealError."""
        operator_only(self._caller, "rotate the master key")
        return await self._secrets.rotate()

    async def retire(self) -> None:
        """Forget the older master keys; raises NotAllowed, and SealError while a connection still needs one."""
        operator_only(self._caller, "retire master keys")
        await self._secrets.retire()
