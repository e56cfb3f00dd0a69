"""How the lists of an OpenAPI document are paged, told by the names of parameters and fields."""

from collections.abc import Iterable, Mapping
from typing import Any

from connector_host.authoring.openapi.document import OpenApi, Operation

_SIZES = ("limit", "per_page", "perPage", "page_size", "pageSize", "page[size]", "max_results", "maxResults", "size")
_OFFSETS = ("offset", "startAt", "start_at", "skip")
_NUMBERS = ("page", "page_number", "pageNumber", "page[number]")
_CURSORS = ("cursor", "after", "page_token", "pageToken", "next_token", "nextToken", "starting_after", "page[after]")
_KEYS = {*_SIZES, *_OFFSETS, *_NUMBERS, *_CURSORS}
_MORE = ("more", "has_more", "hasMore", "isMore")
_TOTALS = ("total", "total_count", "totalCount")  # not `count`: with some that is the page's
_PAGES = ("total_pages", "totalPages", "pages", "pageCount", "page_count")
_MARKS = ("next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_token", "nextToken", "next_page")
_WORDS = frozenset({*_MORE, *_PAGES, *_MARKS, "next", "next_url", "nextLink", "@odata.nextLink", "nextUrl", "cursor"})
_AS_A_LIST = frozenset({"string", "object", "array"})
_AROUND = ("", "meta", "pagination", "paging", "links", "_links", "response_metadata", "metadata")
_MOST = 100


def paging_of(
    api: OpenApi, operation: Operation, answer: Mapping[str, Any], reply: Mapping[str, Any]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the manifest's `paging` and the query keys that it takes care of; nothing where the names do not tell."""
    free = [one for one in operation.parameters if "enum" not in api.schema(one.get("schema", {}))]  # not `size: small`
    queries = {one["name"]: api.schema(one.get("schema", {})) for one in free if one["in"] == "query"}
    size = _first(_SIZES, queries)
    found = _style(queries, answer, "link" in {name.lower() for name in reply.get("headers", {})})
    if not found:
        return {}, frozenset()
    most = queries[size].get("maximum", _MOST) if size else _MOST
    sized = {"size": min(most, _MOST), "size_parameter": size} if size else {"size_parameter": ""}
    taken = frozenset(_KEYS & queries.keys())
    if found.get("position_parameter") == found["style"]:
        del found["position_parameter"]
    return {**found, **sized}, taken


def size_parameter_of(operation: Operation) -> str | None:
    """Return the query key by which an operation is asked for few records."""
    queries = [one for one in operation.parameters if one["in"] == "query"]
    return _first(_SIZES, [one["name"] for one in queries if "enum" not in one.get("schema", {})])


def more_of(answer: Mapping[str, Any]) -> str | None:
    """Return the path by which an answer says that there is more, where nothing says how to ask for it."""
    marks = {name: path for name, path in _fields(answer).items() if name in _WORDS}
    kinds = {name: _kinds(_found(answer, path)) for name, path in marks.items()}
    return next((path for name, path in marks.items() if not {"integer", "number"} & kinds[name]), None)


def _found(answer: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer
    for name in path.removeprefix("$.").split("."):
        found = found.get("properties", {}).get(name, {})
    return found


def looks_paged(operation: Operation, answer: Mapping[str, Any]) -> bool:
    """Whether an operation gives a part of its list at a time: without knowing how, the rest would be missed."""
    return more_of(answer) is not None or any(one["name"] in _KEYS for one in operation.parameters)


def _part(answer: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    found = answer.get("properties", {}).get(place, {}) if place else answer
    return found if isinstance(found, Mapping) else {}


def _style(queries: Mapping[str, Any], answer: Mapping[str, Any], link_header: bool) -> dict[str, Any]:  # noqa: FBT001 - one room
    fields = _fields(answer)
    number, offset, cursor = (_first(names, queries) for names in (_NUMBERS, _OFFSETS, _CURSORS))
    more, total, pages = (_first(names, fields) for names in (_MORE, _TOTALS, _PAGES))
    kinds = _kinds(queries[number]) if number else set[str]()
    if kinds & _AS_A_LIST and not pages:  # what stands there is a mark, or nothing that can be counted
        number, cursor = None, cursor or (number if "string" in kinds else None)
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
        begins = {"first": 0} if queries[number].get("default") == 0 and kinds <= {"integer", "number"} else {}
        return {"style": "page", "position_parameter": number, **begins, **end}
    following = _fields(answer, "string").get("next")
    return {"style": "link", "next": following} if following else {}


def _first(names: Iterable[str], among: Iterable[str]) -> str | None:
    known = set(among)
    return next((name for name in names if name in known), None)


def _fields(answer: Mapping[str, Any], kind: str | None = None) -> dict[str, str]:
    """Return the paths of an answer's fields by name, of all or one kind: at the top, and where paging is told of."""
    found: dict[str, str] = {}
    for place in _AROUND:
        for name, one in _part(answer, place).get("properties", {}).items():
            kinds = _kinds(one)
            if not {"object", "array"} & kinds and (kind is None or kind in kinds):
                found.setdefault(name, f"$.{place}.{name}" if place else f"$.{name}")
    return found


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    told = schema.get("type") or []
    return {told} if isinstance(told, str) else set(told)
