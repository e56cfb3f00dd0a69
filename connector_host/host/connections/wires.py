"""The wires of one connection in use: one for each transport that its requests name, all to permitted places alone."""

import os
from collections.abc import Container, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from connector_host.host.egress import Egress, address_of
from connector_host.host.proxy_rules import ProxyRules
from connector_host.model.effects import EFFECTS, SAFE
from connector_host.model.invocation import UNDER_WAY
from connector_host.model.invocation_errors import RequestRefused, Unreachable
from connector_host.model.proxy import Proxy
from connector_host.ports.parts import Reply, Request, Step, Tls, Transport, Wire

_NOTHING: Mapping[str, Any] = {}


class Wiring(Struct, frozen=True, eq=False):
    """What requests go through: the steps around each, the transports by name, and the one of all who name none."""

    steps: Sequence[Step]
    transports: Mapping[str, Transport]
    default: str
    egress: Egress
    proxies: ProxyRules


def _traced(request: Request) -> Request:
    """Return a request that carries on the trace of whoever asked for its invocation, as a span of its own."""
    given = UNDER_WAY.get(_NOTHING).get("traceparent", "")
    if not given:
        return request
    version, trace, _, flags = given.split("-")
    child = f"{version}-{trace}-{os.urandom(8).hex()}-{flags}"
    return replace(request, headers={**request.headers, "traceparent": child})


class Wires:
    """A connection's open wires; `others` are the hosts that somebody else than the operator named as servers."""

    def __init__(self, wiring: Wiring, connection: str, tls: Tls, others: Container[str]) -> None:
        self._wiring = wiring
        self._connection = connection
        self._tls = tls
        self._others = others
        self._open: dict[str, Wire] = {}
        self._proxies: dict[str, Proxy | None] = {}  # by places that are checked
        self._wire(None)

    async def send(self, request: Request) -> Reply:
        """Send over the wire that the request names; raises RequestRefused for a place that is not permitted."""
        place = request.url.partition("://")[2].partition("/")[0]
        if place not in self._proxies:
            host = urlsplit(request.url).hostname or ""
            self._wiring.egress.check_name(host, by_operator=host not in self._others)
            self._proxies[place] = self._wiring.proxies.chosen(self._connection, host)
        wire, effects = self._wire(request.transport), EFFECTS.get()
        if effects is not None and effects.over:
            raise RequestRefused("The command is over: nothing is sent for it any more.")
        proxy = self._proxies[place]
        outgoing = _traced(request) if proxy is None else replace(_traced(request), proxy=proxy)
        if effects is None or request.method in SAFE:
            return await wire.send(outgoing)
        before = effects.sending(request)
        try:
            reply = await wire.send(outgoing)
        except (Unreachable, RequestRefused):
            effects.never_sent(request, before)
            raise
        effects.answered(request, reply.status, before)
        return reply

    async def close(self) -> None:
        """Close them all."""
        for wire in self._open.values():
            await wire.close()

    def _permit(self, host: str, address: str) -> None:
        self._wiring.egress.check(host, address_of(address), by_operator=host not in self._others)

    def _wire(self, name: str | None) -> Wire:
        """Return a wire, opened when it is first needed."""
        name = name or self._wiring.default
        wire = self._open.get(name)
        if wire is not None:
            return wire
        if name not in self._wiring.transports:
            known = ", ".join(sorted(self._wiring.transports))
            raise RequestRefused(f"There is no transport '{name}'.", assistance=f"The host has: {known}.")
        wire = self._open[name] = self._wiring.transports[name].open(self._tls, self._permit)
        return wire
