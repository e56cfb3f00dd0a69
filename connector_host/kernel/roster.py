"""Reads stored connections page by page, so that a hundred thousand need no more memory than a few."""

from collections.abc import AsyncIterator
from dataclasses import replace

from connector_host.contract.connection import Caller, Selection, StoredConnection
from connector_host.contract.stores import Connections

PAGE = 500


async def stored_one_by_one(
    connections: Connections, selection: Selection, caller: Caller
) -> AsyncIterator[StoredConnection]:
    """Read those selected, by name; the pages are no longer than the selection's limit, which is not kept to."""
    size = min(PAGE, selection.limit or PAGE)
    after = selection.after
    while page := await connections.list(replace(selection, after=after, limit=size), caller):
        for stored in page:
            yield stored
        if len(page) < size:
            return
        after = page[-1].connection.name
