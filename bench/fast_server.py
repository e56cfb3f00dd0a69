"""A server that answers in microseconds, so that what is measured is the client: `python -m bench.fast_server [CERT KEY]`.

It answers a POST with what PagerDuty's Events API says, and /incidents and /users page by page with realistic records:
line feeds, quotes, backslashes and letters beyond ASCII in their texts. It prints its port.
"""

import asyncio
import json
import ssl
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

NEWEST, APART = datetime(2026, 11, 20, 8, 15, tzinfo=UTC), 61  # of the incidents, and seconds between two
EVENT = b'{"status":"success","message":"Event processed","dedup_key":"warm"}'
RECORDS, PAGE = 10_000, 100
_LOG = (
    '2026-11-20T08:15:%02d.113Z ERROR [worker-%d] payment-gateway \u2014 "charge" refused for order %d\n'
    'Traceback (most recent call last):\n  File "C:\\\\svc\\\\pay\\\\gateway.py", line 212, in charge\r\n'
    '\traise Refused("na\u00efve retry after 3 tries")\n'
)


def details(number: int, size: int) -> str:
    """Return a text of about `size` characters as monitoring tools send it."""
    text = ""
    line = 0
    while len(text) < size:
        text += _LOG % (line % 60, number % 16, number + line)
        line += 1
    return text[:size]


def incident(number: int) -> dict[str, Any]:
    """Return one incident of 5 KB."""
    identifier = f"Q{number:013d}"
    return {
        "id": identifier,
        "type": "incident",
        "summary": f'[#{number}] payment-gateway: "charge" refused',
        "incident_number": number,
        "title": 'payment-gateway: "charge" refused',
        "created_at": f"{NEWEST - timedelta(seconds=APART * number):%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": "2026-11-20T08:16:00Z",
        "status": "triggered",
        "urgency": "high",
        "html_url": f"https://acme.pagerduty.com/incidents/{identifier}",
        "alert_counts": {"all": 1, "triggered": 1, "resolved": 0},
        "service": {"id": "PSVC001", "type": "service_reference", "summary": "Payments"},
        "assignments": [{"at": "2026-11-20T08:15:00Z", "assignee": {"id": "PU00001", "type": "user_reference"}}],
        "body": {"type": "incident_body", "details": details(number, 4300)},
    }


def user(number: int) -> dict[str, Any]:
    """Return one user."""
    return {
        "id": f"PU{number:05d}",
        "type": "user",
        "name": f'Zo\u00eb O"Neill {number}',
        "email": f"zoe{number}@example.com",
        "time_zone": "Europe/Berlin",
        "color": "purple",
        "role": "user",
        "description": "On call\nweekdays",
        "contact_methods": [{"id": f"PC{number:05d}", "type": "email_contact_method_reference"}],
        "teams": [{"id": "PT00001", "type": "team_reference", "summary": "Operations"}],
    }


class Pages:
    """The pages of a list, each encoded once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, int], bytes] = {}

    def get(self, name: str, query: dict[str, str]) -> bytes:
        """Return a page: of incidents those before `until`, the newest first."""
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", PAGE))
        if name == "incidents" and "until" in query:
            until = datetime.fromisoformat(query["until"])
            offset += max(0, int((NEWEST - until).total_seconds() // APART) + 1)
        key = (name, offset, limit)
        if key not in self._made:
            make = incident if name == "incidents" else user
            rows = [make(number) for number in range(offset, min(offset + limit, RECORDS))]
            document = {name: rows, "limit": limit, "offset": offset, "more": offset + limit < RECORDS, "total": None}
            self._made[key] = json.dumps(document, ensure_ascii=False).encode()
        return self._made[key]


class Answering(asyncio.Protocol):
    """Answers each request that is complete."""

    pages = Pages()

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            lower = head.lower()
            length = (
                int(lower.partition(b"content-length:")[2].split(b"\r\n")[0] or 0) if b"content-length:" in lower else 0
            )
            if len(rest) < length:
                return
            self.data = rest[length:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        method, target = head.split(b" ", 2)[:2]
        parts = urlsplit(target.decode())
        if method == b"POST":
            status, body = b"202 Accepted", EVENT
        elif parts.path in {"/incidents", "/users"}:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            page = self.pages.get(parts.path[1:], query)
            status, body = b"200 OK", page
        else:
            status, body = b"200 OK", b'{"abilities":["sso"],"user":{}}'
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self.transport.write(head + body)


async def main() -> None:
    """Serve until the program is ended."""
    context = None
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[1:3])
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
