"""History: searched, opened, and one run compared with another."""

from collections.abc import Mapping
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from connector_host.model.boundary import wrong_of
from connector_host.model.differences import differences
from connector_host.model.history import HistoryFilter, HistoryPage, HistoryRecord
from connector_host.web.page.pages import Pages, Visit
from connector_host.web.problems import Problem

RUNS, DIFFERENCES = 100, 500
_TEXTS = ("connection", "plugin", "command", "caller", "status", "text")
_TIMES = ("since", "until")


class HistoryWindow:
    """The window History."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self._pages.route("/history", self.list),
            self._pages.route("/history/{id}", self.past),
            self._pages.route("/history/{id}/compare", self.compare),
        ]

    async def list(self, visit: Visit) -> Response:
        """List the runs looked for, newest first."""
        asked = {name: visit.text(name) for name in (*_TEXTS, *_TIMES) if visit.text(name)}
        page, error = await wrong_of(self._found(visit, asked))
        more = f"?{urlencode({**asked, 'after': page.next})}" if page is not None and page.next else ""
        others = urlencode({name: value for name, value in asked.items() if name != "status"})
        facts = {"runs": page.records if page is not None else [], "error": error, "more": more}
        return self._pages.show(visit, "history.html", 422 if error else 200, asked=asked, others=others, **facts)

    async def _found(self, visit: Visit, asked: Mapping[str, str]) -> HistoryPage:
        return await visit.session.search_history(_filter(visit, asked), after=visit.text("after"), limit=RUNS)

    async def past(self, visit: Visit) -> Response:
        """Show one run as history keeps it, with those that it may be compared with."""
        record = await self._one(visit, visit.request.path_params["id"])
        page = await visit.session.search_history(HistoryFilter(plugin=record.plugin, command=record.command))
        others = [one for one in page.records if one.invocation_id != record.invocation_id]
        facts = {"record": record, "document": record.document(), "result": _result_of(record), "others": others}
        return self._pages.show(visit, "past.html", **facts)

    async def compare(self, visit: Visit) -> Response:
        """Show what differs between two runs: their inputs, status, error and raw data."""
        one = await self._one(visit, visit.request.path_params["id"])
        two = await self._one(visit, visit.text("with"))
        before, after = sorted((one, two), key=lambda record: record.started_at)
        found = list(islice(differences(_compared(before), _compared(after)), DIFFERENCES + 1))
        return self._pages.show(
            visit, "compare.html", before=before, after=after, found=found[:DIFFERENCES], more=len(found) > DIFFERENCES
        )

    async def _one(self, visit: Visit, invocation_id: str) -> HistoryRecord:
        record = await visit.session.past(invocation_id)
        if record is None:
            raise Problem("not-found", "There is no run of that id that you may see.")
        return record


def _filter(visit: Visit, asked: Mapping[str, str]) -> HistoryFilter:
    times = {name: visit.moment(name) for name in _TIMES}
    texts = {name: asked[name] for name in _TEXTS if name in asked}
    return HistoryFilter(**texts, **times)  # type: ignore[arg-type]


def _result_of(record: HistoryRecord) -> Mapping[str, Any]:
    """Return the result as history keeps it, or what is left of it."""
    kept: Mapping[str, Any] | None = record.document()["result"]
    return record.as_result() if kept is None else kept


def _compared(record: HistoryRecord) -> dict[str, Any]:
    result = _result_of(record)
    error = result["error"]["entries"] if result["error"] else []
    inputs = record.document()["inputs"]
    return {"inputs": inputs, "status": record.status, "error": error, "raw_data": result["raw_data"]}
