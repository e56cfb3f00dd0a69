"""The host: plugins to look at, and a session for each caller that the embedding program vouches for."""

from functools import cached_property

from connector_host.host.core import Core
from connector_host.host.scheduler import stuck
from connector_host.host.session import Session
from connector_host.host.tokens import Doorkeeper
from connector_host.manifests.registry import PluginRegistry
from connector_host.model.boundary import outcome_of
from connector_host.model.caller import OPERATOR, Caller
from connector_host.model.errors import WrongUse
from connector_host.model.token import Token
from connector_host.ports.parts import Clock


class Host:
    """Runs commands of plugins through stored connections, for callers that the embedding program vouches for.

    Make one with `connector_host.open_host()`, and close it by leaving its `async with`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def plugins(self) -> PluginRegistry:
        """The plugins; none of their code is run to list them."""
        return self._core.registry

    @property
    def clock(self) -> Clock:
        """The clock that the host goes by."""
        return self._core.clock

    def acting_for(self, caller: Caller) -> Session:
        """Return a session in which only what `caller` may do is done; a caller with nothing in it may do nothing."""
        if not isinstance(caller, Caller):
            raise WrongUse(f"A session is for a Caller, not for {type(caller).__name__}: Caller(user='ann').")
        return Session(self._core, caller)

    def as_operator(self) -> Session:
        """Return a session of the operator, who may do everything."""
        return Session(self._core, OPERATOR)

    async def why_not_ready(self) -> str:
        """Return what keeps the host from working: its store or key, or what runs by itself; empty for nothing."""
        error = (await outcome_of(self._core.sites.load()))[1]
        if error is not None:
            return "The store or its key cannot be used."
        late = stuck(self._core)
        return f"{late[0]} are stuck." if late else ""

    @cached_property
    def doorkeeper(self) -> Doorkeeper:
        """Knows whoever shows a token, or is signed in."""
        return Doorkeeper(self._core)

    def acting_by(self, token: Token) -> Session:
        """Return a session for a token's holder; what the token is narrowed to is the surface's to hold."""
        return Session(self._core, token.principal)

    async def close(self) -> None:
        """Close every wire and the store."""
        await self._core.pool.close()
        await self._core.store.close()
