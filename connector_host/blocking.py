"""The host for programs without an event loop: one call opens it, runs a command, and closes it."""

from collections.abc import Mapping
from typing import Any

from anyio.from_thread import start_blocking_portal

from connector_host.app import open_host
from connector_host.configuration import DEFAULT, Configuration
from connector_host.model.invocation import UNRECORDED, Options
from connector_host.model.result import Result


def run_once(
    plugin: str,
    command: str,
    values: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    *,
    options: Options = UNRECORDED,
    configuration: Configuration = DEFAULT,
) -> Result:
    """Run one command with a connection's values, and return its result; nothing of them is stored.

    It acts for the operator. May be called from any thread, and beside a running event loop, which then waits.
    Raises as Session.run_with() does.
    """

    async def go() -> Result:
        async with open_host(configuration) as host:
            return await host.as_operator().run_with(plugin, command, values, inputs, options=options)

    with start_blocking_portal() as portal:
        return portal.call(go)
