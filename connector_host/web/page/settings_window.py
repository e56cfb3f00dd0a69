"""Settings: how somebody wants times written, and how a time they wrote is read."""

from datetime import UTC
from zoneinfo import available_timezones

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector_host.host.settings import DateTimeSetting
from connector_host.host.times import parse_time
from connector_host.model.boundary import wrong_of
from connector_host.web.page.pages import Pages, Visit

FORMATS = ("%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %H:%M", "%Y-%m-%dT%H:%M:%S")


class SettingsWindow:
    """The window Settings."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self._pages.route("/settings", self.window, methods=("GET", "POST")),
            self._pages.route("/times", self.reading),
        ]

    async def window(self, visit: Visit) -> Response:
        """Show how times are written for whoever is signed in; change it."""
        wanted, error = visit.times, ""
        if visit.request.method == "POST":
            as_the_host = visit.text("action") == "reset"
            wanted = DateTimeSetting(visit.text("format"), visit.text("time_zone"))
            _, error = await wrong_of(visit.session.preferences.put(None if as_the_host else wanted))
            if not error:
                return RedirectResponse("/settings?saved=yes", 303)
        written = {one: self._pages.host.clock.now().astimezone(UTC).strftime(one) for one in FORMATS}
        facts = {"wanted": wanted, "error": error, "saved": visit.text("saved"), "formats": written}
        return self._pages.show(
            visit, "settings.html", 422 if error else 200, zones=sorted(available_timezones()), **facts
        )

    async def reading(self, visit: Visit) -> Response:
        """Say what time a text is, in UTC."""
        text = visit.text("text")
        return self._pages.show(visit, "utc.html", text=text, moment=parse_time(text, visit.times))
