"""How an operation of an OpenAPI document hands out a long list, as far as its names tell."""

from collections.abc import Iterable, Mapping
from typing import Any

from connector_host.workshop.openapi.document import OpenApi, Operation

_SIZES = ("limit", "per_page", "perPage", "page_size", "pageSize", "page[size]", "max_results", "maxResults", "size")
_OFFSETS = ("offset", "startAt", "start_at", "skip")
_NUMBERS = ("page", "page_number", "pageNumber", "page[number]")
_CURSORS = ("cursor", "after", "page_token", "pageToken", "next_token", "nextToken", "starting_after", "page[after]")
_KEYS = {*_SIZES, *_OFFSETS, *_NUMBERS, *_CURSORS}
_MORE = ("more", "has_more", "hasMore", "isMore")
_TOTALS = ("total", "total_count", "totalCount")  # not `count`: with some that is the page's
_PAGES = ("total_pages", "totalPages", "pages", "pageCount", "page_count")
_MARKS = ("next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_token", "nextToken")
_AROUND = ("", "meta", "pagination", "paging", "links", "_links", "response_metadata", "metadata")
_MOST = 100


def paging_of(
    api: OpenApi, operation: Operation, answer: Mapping[str, Any], reply: Mapping[str, Any]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the manifest's `paging` and the query keys that it takes care of; nothing where the names do not tell."""
    free = [one for one in operation.parameters if "enum" not in api.schema(one.get("schema", {}))]  # not `size: small`
    queries = {one["name"]: one for one in free if one["in"] == "query"}
    size = _first(_SIZES, queries)
    found = _style(queries, answer, "link" in {name.lower() for name in reply.get("headers", {})})
    if not found:
        return {}, frozenset()
    most = api.schema(queries[size].get("schema", {})).get("maximum", _MOST) if size else _MOST
    sized = {"size": min(most, _MOST), "size_parameter": size} if size else {"size_parameter": ""}
    taken = frozenset(_KEYS & queries.keys())
    if found.get("position_parameter") == found["style"]:
        del found["position_parameter"]
    return {**found, **sized}, taken


def looks_paged(operation: Operation) -> bool:
    """Whether an operation can be asked for a part of its list: without knowing how, the rest would be missed."""
    return any(one["name"] in _KEYS for one in operation.parameters)


def _style(queries: Iterable[str], answer: Mapping[str, Any], link_header: bool) -> dict[str, Any]:  # noqa: FBT001 - one room
    fields = _fields(answer)
    number, offset, cursor = (_first(names, queries) for names in (_NUMBERS, _OFFSETS, _CURSORS))
    more, total, pages = (_first(names, fields) for names in (_MORE, _TOTALS, _PAGES))
    mark = _first((*_MARKS, "next"), fields)
    if cursor and mark:
        return {"style": "cursor", "position_parameter": cursor, "next": fields[mark]}
    if offset and (more or total):
        end = {"more": fields[more]} if more else {"total": fields[total or ""]}
        return {"style": "offset", "position_parameter": offset, **end}
    if link_header:
        return {"style": "link_header"}
    if number:
        end = {"pages": fields[pages]} if pages else {"more": fields[more]} if more else {}
        return {"style": "page", "position_parameter": number, **end}
    following = _fields(answer, "string").get("next")
    return {"style": "link", "next": following} if following else {}


def _first(names: Iterable[str], among: Iterable[str]) -> str | None:
    known = set(among)
    return next((name for name in names if name in known), None)


def _fields(answer: Mapping[str, Any], kind: str | None = None) -> dict[str, str]:
    """Return the paths of an answer's fields by name, of all or one kind: at the top, and where paging is told of."""
    found: dict[str, str] = {}
    for place in _AROUND:
        part = answer.get("properties", {}).get(place, {}) if place else answer
        for name, one in part.get("properties", {}).items():
            told = one.get("type") or []
            kinds = {told} if isinstance(told, str) else set(told)
            if not {"object", "array"} & kinds and (kind is None or kind in kinds):
                found.setdefault(name, f"$.{place}.{name}" if place else f"$.{name}")
    return found
