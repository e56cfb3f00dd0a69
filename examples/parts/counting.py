"""A part: a step around every request that counts them by server, and a package's way to offer it.

A package offers it by an entry point in the group `connector_host` that names this module; the host manifest then lists
the step: `steps: [counting, retry, limit, request_log]`.
"""

from collections import Counter
from collections.abc import Mapping

from connector_host.ports.hookspecs import plug
from connector_host.ports.parts import Reply, Request, Send, Step, Surroundings

sent: Counter[str] = Counter()


async def counting(request: Request, send: Send) -> Reply:
    """Count a request, then let it go on."""
    sent[request.server] += 1
    return await send(request)


@plug
def steps(surroundings: Surroundings) -> Mapping[str, Step]:  # noqa: ARG001 - the socket's signature
    """Offer the step by its name."""
    return {"counting": counting}
