"""Faults on request: latency, failures for the first so many requests, lost answers, and bytes that are no JSON."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]
GARBAGE = b'\x00\xff{"users": [\xc3('
CODES = {400: 2001, 401: 2006, 403: 2010, 404: 2100, 429: 2020}
WORDS = {
    400: "Invalid Input Provided",
    401: "You shall not pass.",
    403: "Access Denied",
    404: "Not Found",
    429: "Rate Limit Exceeded",
}


class Faults:
    """What goes wrong; the fields may be changed while the app runs. `requests` lists all that came, as METHOD PATH."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.latency = options["latency"] / 1000
        self.garbage = options["garbage"]
        self.status, self.left = _parsed(options["fail"])
        self.lost = options["lost"]
        self.requests: list[str] = []

    def around(self, handler: Handler) -> Handler:
        """Return the handler, with faults before it."""

        async def handle(request: Request) -> Response:
            query = f"?{request.url.query}" if request.url.query else ""
            self.requests.append(f"{request.method} {request.scope['raw_path'].decode()}{query}")
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.left > 0:
                self.left -= 1
                return _failure(self.status, request.url.path)
            if self.garbage:
                return Response(GARBAGE, media_type="application/json")
            response = await handler(request)
            if self.lost > 0 and request.method != "GET":
                self.lost -= 1
                return _failure(503, request.url.path)
            return response

        return handle


def _failure(status: int, path: str) -> Response:
    if path == "/v2/enqueue":
        words = "throttle exceeded" if status == 429 else "invalid event"
        return _json_response(
            status, f'{{"status":"{words}","message":"{WORDS.get(status, "Internal Server Error")}"}}'
        )
    code, message = CODES.get(status, 2000), WORDS.get(status, "Internal Server Error")
    return _json_response(status, f'{{"error":{{"message":"{message}","code":{code}}}}}')


def _json_response(status: int, body: str) -> Response:
    headers = {"ratelimit-reset": "1"} if status == 429 else None
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def _parsed(fail: str | None) -> tuple[int, int]:
    """STATUS:COUNT; raises ValueError for anything else."""
    if not fail:
        return 0, 0
    status, _, count = fail.partition(":")
    if not (status.isdigit() and count.isdigit() and 400 <= int(status) <= 599):
        raise ValueError(f"'{fail}' is not STATUS:COUNT, as 503:2.")
    return int(status), int(count)
