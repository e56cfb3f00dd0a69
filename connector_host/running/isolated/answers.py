"""Does for a plugin's process what it asks for, as the same call would do within the host."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from connector_host.model.authoring import Page
from connector_host.model.requests import Paging
from connector_host.running.call import RunningCall
from connector_host.running.paging import PagedListing


class Answers:
    """Does for a process what it asks for, as the same call would do within the host."""

    def __init__(self, call: RunningCall) -> None:
        self._call = call
        self._listings: list[tuple[PagedListing, AsyncIterator[Page]]] = []
        self._does: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "request": self._request,
            "pages": self._pages,
            "page": self._page,
            "sleep": self._sleep,
        }

    async def answer(self, message: dict[str, Any]) -> Any:
        """Do what is asked for; raises InvocationError."""
        return await self._does[message["ask"]](message)

    async def _request(self, message: dict[str, Any]) -> Any:
        return await self._call.request(message["method"], message["path"], **message["options"])

    async def _pages(self, message: dict[str, Any]) -> int:
        paging = Paging(**message["paging"]) if message["paging"] else None
        listing = self._call.pages(message["path"], message["collect"], paging=paging, **message["options"])
        self._listings.append((listing, aiter(listing)))
        return len(self._listings) - 1

    async def _page(self, message: dict[str, Any]) -> dict[str, Any]:
        listing, pages = self._listings[message["listing"]]
        page = await anext(pages, None)
        told_page = None if page is None else {"records": page.records, "texts": list(page.texts)}
        return {"page": told_page, "state": _state(listing)}

    async def _sleep(self, message: dict[str, Any]) -> None:
        await self._call.sleep(message["seconds"])


def _state(listing: PagedListing) -> list[Any]:
    return [listing.complete, listing.stopped_because, listing.window_full]
