"""The stand-in's API keys: who is let in, how often, and to what; and refusals in PagerDuty's form."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

LOOKING_ON = frozenset({"read_only_user", "read_only_limited_user"})


class Refusal(Exception):
    """A refusal in PagerDuty's form."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        errors: list[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {"error": {"message": message, "code": code, **({"errors": errors} if errors else {})}}


def invalid(reason: str) -> Refusal:
    """Return the refusal of what was sent."""
    return Refusal(400, 2001, "Invalid Input Provided", [reason])


class Keys:
    """The keys of the REST API, by the sandbox' options."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._sent: dict[str, list[float]] = {}

    def admitted(self, request: Request) -> dict[str, str]:
        """Return what the answer to a key says of its rate limit; raises Refusal."""
        headers = self._rate_headers(self._authenticated(request))
        self._refuse_denied(request)
        return headers

    def _authenticated(self, request: Request) -> str:
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        key = rest.removeprefix("token=") if scheme == "Token" else rest if scheme == "Bearer" else ""
        if not key or self._options["api_key"] not in (None, key):
            raise Refusal(401, 2006, "You shall not pass.")
        return key

    def _refuse_denied(self, request: Request) -> None:
        """Refuse what the key may not do: all kinds of objects that are denied, and with looking on all changes."""
        looks_on = self._options["role"] in LOOKING_ON and request.method != "GET"
        kind = request.url.path.split("/")[1].replace("maintenance_windows", "services")  # whose scope they have
        if looks_on or kind in (self._options["denied"] or "").split(","):
            raise Refusal(403, 2010, "Access Denied")

    def _rate_headers(self, key: str) -> dict[str, str]:
        now = datetime.now(UTC).timestamp()
        limit = self._options["rate_limit"]
        recent = [moment for moment in self._sent.get(key, []) if moment > now - 60]
        reset = str(int(recent[0] + 61 - now)) if recent else "60"
        if len(recent) >= limit:
            told = {"ratelimit-limit": str(limit), "ratelimit-remaining": "0", "ratelimit-reset": reset}
            raise Refusal(429, 2020, "Rate Limit Exceeded", headers=told)
        self._sent[key] = [*recent, now]
        return {
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(limit - len(recent) - 1),
            "ratelimit-reset": reset,
        }
