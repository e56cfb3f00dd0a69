"""One server as one command talks to it: signed in where it wants that, its replies read by the declared rules."""

from dataclasses import replace

from connector_host.builtin.runners.meaning import Meaning
from connector_host.builtin.runners.orders import Order
from connector_host.builtin.runners.origins import Origin, Origins
from connector_host.builtin.runners.tokens import Tokens
from connector_host.contract.ports import Job, Reply

UNAUTHORIZED = 401


class Exchange:
    """Sends orders to one declared server."""

    def __init__(self, job: Job, origins: Origins, server: str) -> None:
        self.origin: Origin = origins.get(job.manifest, job.opened, server)
        declared = self.origin.server
        self._job = job
        self._meaning = Meaning([*job.command.responses, *declared.responses], declared.errors)
        auth = declared.auth
        self._tokens = None
        if auth is not None and auth.type == "oauth2":
            endpoint = origins.get(job.manifest, job.opened, auth.server)
            self._tokens = Tokens(job, auth, server, endpoint)

    async def send(self, order: Order) -> Reply:
        """Send; raises ApiError for a reply that a declared rule calls failed."""
        if self._tokens is None:
            return self._meaning.judged(await self._once(order))
        token = await self._tokens.current()
        reply = await self._once(_signed(order, token))
        if reply.status == UNAUTHORIZED:  # it may have been withdrawn before its time
            reply = await self._once(_signed(order, await self._tokens.current(instead_of=token)))
        return self._meaning.judged(reply)

    async def _once(self, order: Order) -> Reply:
        request = self.origin.request(order)
        again = self._meaning.again
        return await self._job.send(request if again is None else replace(request, again=again))


def _signed(order: Order, token: str) -> Order:
    return replace(order, headers={**order.headers, "Authorization": f"Bearer {token}"})
