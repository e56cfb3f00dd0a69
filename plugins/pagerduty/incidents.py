"""Reads incidents newest first, beyond the number and the time range that PagerDuty answers at once."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connector_host import AsyncCall, InvalidInput, Page, Paging

# By time, not by offset: an incident that leaves the list between two pages moves no other past the reader.
NEWEST_FIRST = Paging(style="key", by="$.created_at", parameter="until", window=10_000)
Range = tuple[str, str]  # since and until, ISO 8601
MONTH = timedelta(days=30)  # what PagerDuty lists where no range is given
LARGEST_RANGE = timedelta(days=150)  # PagerDuty refuses more than six months


async def newest_first(
    call: AsyncCall, query: Mapping[str, Any], ranges: Sequence[Range], wanted: int | None, reasons: list[str]
) -> AsyncIterator[Page]:
    """Read the newest incidents of the ranges, each once, up to the number wanted; says so where there are more.

    Why the ranges were not read to their ends is added to `reasons`.
    """
    left, complete = wanted, True
    for number, (since, until) in enumerate(ranges, 1):
        asked = {**query, "since": since, "until": until, "sort_by": "created_at:desc"}
        listing = call.pages("/incidents", "incidents", query=asked, paging=NEWEST_FIRST, most=left)
        async for page in listing:
            kept = page if left is None else page.first(left)
            yield kept
            if left is None:
                continue
            left -= len(kept.records)
            if not left:
                more = not listing.complete or len(kept.records) < len(page.records) or number < len(ranges)
                reason = f"The {wanted} most recent incidents were asked for; there are older ones."
                call.stopped(reason if more else None, complete=not more, limited=more)
                return
        complete = complete and listing.complete
        reasons += [listing.stopped_because] if listing.stopped_because else []
    call.stopped(" ".join(dict.fromkeys(reasons)) or None, complete=complete)


async def ranges_of(
    call: AsyncCall, query: Mapping[str, Any], since: str | None, until: str | None, *, all_times: bool
) -> list[Range]:
    """Return the time ranges to ask for, newest first; with `all_times` back to the oldest incident there is."""
    ends = datetime.fromisoformat(until) if until else call.now() + timedelta(minutes=5)
    if all_times:
        if since or until:
            raise InvalidInput("All Times", "It is given, and a time range too: choose one.")
        oldest = {**query, "date_range": "all", "sort_by": "created_at:asc", "limit": 1}
        found = (await call.request("GET", "/incidents", query=oldest)).get("incidents") or []
        begins = datetime.fromisoformat(found[0]["created_at"]) if found else ends - MONTH
    else:
        begins = datetime.fromisoformat(since) if since else ends - MONTH
    if begins >= ends:
        raise InvalidInput("Until", "It is not after Since.")
    return list(_pieces(begins, ends))


def _pieces(begins: datetime, ends: datetime) -> Iterator[Range]:
    while begins < ends:
        since = max(begins, ends - LARGEST_RANGE)
        yield _text(since), _text(ends)
        ends = since


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ordered(incidents: Sequence[Any], order: str) -> list[Any]:
    """Return incidents in an order such as `urgency:desc`; those that come newest first stay so among equals."""
    field, _, way = order.partition(":")
    return sorted(incidents, key=lambda one: _rank(one.get(field)), reverse=way == "desc")


def _rank(value: Any) -> tuple[int, str]:
    return (value, "") if isinstance(value, int) else (0, str(value or ""))


def id_of(incident: Any) -> Any:
    """Return a record's id; one without an id is like no other."""
    found = incident.get("id") if isinstance(incident, dict) else None
    return found if isinstance(found, str) else object()
