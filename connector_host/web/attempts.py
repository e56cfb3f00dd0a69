"""Failed attempts to be known, counted by address: ten in a minute, and the address waits."""

import time
from collections import OrderedDict

from connector_host.web.problems import Problem

MOST, SECONDS, ADDRESSES = 10, 60.0, 10_000


class Attempts:
    """Addresses and when they failed; of very many the oldest are forgotten."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def failed(self, address: str) -> None:
        """Count a failed attempt; raises Problem where there were too many before it. A good token is never refused."""
        now = time.monotonic()
        recent = [at for at in self._failed.pop(address, ()) if now - at < SECONDS]
        self._failed[address] = [*recent, now][-MOST:]
        while len(self._failed) > ADDRESSES:
            self._failed.popitem(last=False)
        if len(recent) >= MOST:
            wait = max(1, round(SECONDS - (now - recent[0])))
            raise Problem("too-many", "Too many attempts failed.", headers={"Retry-After": str(wait)})
