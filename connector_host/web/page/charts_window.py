"""Charts: calls, failures and how long they took, by the hour; and how much of their rate limits connections use."""

from collections.abc import Mapping

from msgspec import Struct
from starlette.responses import Response
from starlette.routing import Route

from connector_host.model.history import Calls
from connector_host.web.page.pages import Pages, Visit

HOURS, MOST = 24, 50
HEIGHT, WIDTH = 80, 20  # of a bar's place


class Bar(Struct, frozen=True):
    """One hour's bar: where it stands, how high its calls and its failures are, and how long the slowest took."""

    hour: str
    calls: Calls
    x: int
    calls_height: int
    failed_height: int
    p95_height: int


class ChartsWindow:
    """The window Charts."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [self._pages.route("/charts", self.window)]

    async def window(self, visit: Visit) -> Response:
        """Show the last day of all connections that one may use, or of one of them."""
        chosen = visit.text("connection")
        calls = await visit.session.usage.calls_by_hour([chosen] if chosen else None, HOURS)
        of = await visit.session.usage.busiest(HOURS, MOST)
        names = sorted({*of, chosen} - {""})
        limits = {name: limit for name in of if (limit := self._pages.server.metrics.limit_of(name))}
        facts = {"bars": bars_of(calls), "names": names, "chosen": chosen, "limits": limits}
        return self._pages.show(visit, "charts.html", **facts, of=of, height=HEIGHT)


def bars_of(calls: Mapping[str, Calls]) -> list[Bar]:
    """Return a bar for each hour, as high as it is beside the highest."""
    most = max((one.total for one in calls.values()), default=0) or 1
    slowest = max((one.p95_ms for one in calls.values()), default=0) or 1
    return [
        Bar(
            hour,
            one,
            number * WIDTH,
            round(HEIGHT * one.total / most),
            round(HEIGHT * one.failed / most),
            round(HEIGHT * one.p95_ms / slowest),
        )
        for number, (hour, one) in enumerate(calls.items())
    ]
