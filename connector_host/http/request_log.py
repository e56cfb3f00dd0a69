"""Tells observers and the log of every request: where to, how it ended and how long it took; never what was in it."""

import logging
from urllib.parse import urlsplit

from connector_host.model.errors import InvocationError
from connector_host.ports.parts import Clock, Observe, Reply, Request, Send

log = logging.getLogger("connector_host.requests")


class RequestLog:
    """The innermost step: sees each try by itself."""

    def __init__(self, clock: Clock, observe: Observe) -> None:
        self._clock = clock
        self._observe = observe

    async def __call__(self, request: Request, send: Send) -> Reply:
        """Send, and tell."""
        begun = self._clock.monotonic()
        try:
            reply = await send(request)
        except InvocationError as error:
            self._tell(request, begun, type(error).__name__)
            raise
        self._tell(request, begun, str(reply.status))
        return reply

    def _tell(self, request: Request, begun: float, outcome: str) -> None:
        milliseconds = (self._clock.monotonic() - begun) * 1000
        self._observe(
            "request.sent",
            {
                "server": request.server,
                "method": request.method,
                "outcome": outcome,
                "duration_ms": milliseconds,
            },
        )
        if log.isEnabledFor(logging.DEBUG):
            path = urlsplit(request.url).path
            log.debug("%s %s on %s: %s in %.0f ms", request.method, path, request.server, outcome, milliseconds)
