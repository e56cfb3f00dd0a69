"""Reads connections page by page."""

from collections.abc import AsyncIterator

from msgspec.structs import replace

from connector_host.model.caller import Principal
from connector_host.model.connection import Selection, StoredConnection
from connector_host.ports.stores import ConnectionStore

PAGE = 500


async def iter_connections(
    connections: ConnectionStore, selection: Selection, caller: Principal
) -> AsyncIterator[StoredConnection]:
    """Read those selected, by name, page by page: a hundred thousand need no more memory than a few.

    The pages are no longer than the selection's limit, which is not kept to.
    """
    size = min(PAGE, selection.limit or PAGE)
    after = selection.after
    while page := await connections.list(replace(selection, after=after, limit=size), caller):
        for stored in page:
            yield stored
        if len(page) < size:
            return
        after = page[-1].connection.name
