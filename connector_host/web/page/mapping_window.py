"""Field Mapping: the incident table and the event tables of an intake, beside a real record, tried as one types."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector_host.model.boundary import outcome_of, wrong_of
from connector_host.model.errors import BadSetting
from connector_host.model.intake import MappingTables
from connector_host.model.json_text import parse_json
from connector_host.model.manifest import FIELD_TYPES, EventSource, FieldMapping
from connector_host.model.result import json_text
from connector_host.model.token import Scope
from connector_host.web.page.intake_window import chosen_of, intakes_of
from connector_host.web.page.pages import Pages, Visit
from connector_host.web.page.tree import tree_of
from connector_host.web.problems import Problem

DEEP = 6  # levels of a record that are shown at once


class MappingWindow:
    """The window Field Mapping."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [self._pages.route("/mapping", self.window, methods=("GET", "POST"))]

    async def window(self, visit: Visit) -> Response:
        """Show the tables of one intake; try them, save them, put the manifest's back, fetch a record to see."""
        choices = await intakes_of(self._pages.host.plugins, visit)
        chosen = await chosen_of(self._pages.host.plugins, visit, choices)
        if chosen is None:
            raise Problem("not-found", "There is no such intake that you may use.")
        if visit.request.method == "GET":
            return await self._shown(visit, chosen, with_row(await visit.session.mappings.get(*chosen), visit))
        action = visit.text("action")
        if action in ("save", "reset"):
            visit.wants(Scope.CONNECTIONS)
        if action == "reset":
            await visit.session.mappings.reset(*chosen, visit.number("version"))
            return RedirectResponse(_place(chosen), 303)
        return await self._answer(visit, chosen, action)

    async def _answer(self, visit: Visit, chosen: tuple[str, str], action: str) -> Response:
        tables, wrong = await wrong_of(_filled(visit.data))
        samples = _samples_in(visit.text("samples"))
        if action == "fetch":
            visit.wants(Scope.RUN_READ_ONLY)
            fetched, wrong = await wrong_of(visit.session.mappings.fetch(*chosen))
            samples = list(fetched) if fetched is not None else samples
        elif action == "save" and tables is not None:
            _, wrong = await wrong_of(visit.session.mappings.put(*chosen, tables))
            if not wrong:
                return RedirectResponse(f"{_place(chosen)}&saved=yes", 303)
        elif action == "preview" and tables is not None:
            found, wrong = await wrong_of(visit.session.mappings.preview(*chosen, tables, samples))
            return self._pages.show(visit, "mapped.html", found=found, error=wrong)
        if action == "preview":
            return self._pages.show(visit, "mapped.html", found=None, error=wrong)
        shown = tables or await visit.session.mappings.get(*chosen)
        return await self._shown(visit, chosen, shown, samples, wrong)

    async def _shown(
        self,
        visit: Visit,
        chosen: tuple[str, str],
        tables: MappingTables,
        samples: list[Any] | None = None,
        error: str = "",
    ) -> Response:
        found, _ = await outcome_of(visit.session.mappings.preview(*chosen, tables, samples))
        if found is None:  # the tables that were typed cannot be tried: those in use can
            found = await visit.session.mappings.preview(*chosen, None, samples)
        facts = {"chosen": chosen, "tables": tables, "found": found, "error": error, "types": FIELD_TYPES}
        facts |= {"may_change": visit.may(Scope.CONNECTIONS)}
        facts |= {
            "tree": tree_of(found.sample, "$", levels=DEEP),
            "samples": "" if samples is None else json_text(samples),
        }
        choices = await intakes_of(self._pages.host.plugins, visit)
        status = 422 if error else 200
        return self._pages.show(visit, "mapping.html", status, choices=choices, saved=visit.text("saved"), **facts)


def with_row(tables: MappingTables, visit: Visit) -> MappingTables:
    """Return tables with one more row, where a path was taken from a result."""
    source = visit.text("source")
    if not source:
        return tables
    name = source.rpartition(".")[2].strip("[]'*0123456789") or "Value"
    row = FieldMapping(name.replace("_", " ").title(), source)
    return replace(tables, incident_fields=(*tables.incident_fields, row))


def _place(chosen: tuple[str, str]) -> str:
    return f"/mapping?{urlencode({'connection': chosen[0], 'command': chosen[1]})}"


def _samples_in(text: str) -> list[Any] | None:
    try:
        found = parse_json(text) if text else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


async def _filled(data: FormData) -> MappingTables:
    """Return the tables that a form says; raises BadSetting for a number that is none."""
    sources = tuple(
        EventSource(
            str(name).strip(), tuple(_rows(data, f"s{place}")), _text(data, f"s{place}.search"), _priority(data, place)
        )
        for place in range(len(data.getlist("source")))
        if (name := data.get(f"s{place}.name")) and str(name).strip()
    )
    version = str(data.get("version", ""))
    if not version.isascii() or not version.isdigit():
        raise BadSetting("The form lacks its version: load the page again.")
    return MappingTables(tuple(_rows(data, "i")), sources, int(version[:9]))


def _rows(data: FormData, table: str) -> Iterator[FieldMapping]:
    """Return a table's rows; one without a field's name is left out."""
    columns = [
        [str(one).strip() for one in data.getlist(f"{table}.{name}")] for name in ("field", "path", "default", "type")
    ]
    if len({len(column) for column in columns}) != 1:
        raise BadSetting("The form lacks a column: load the page again.")
    for name, path, default, kind in zip(*columns, strict=True):
        if name or path:
            yield FieldMapping(name, path or None, _default(default), kind or "text")


def _default(text: str) -> Any:
    """Return a default: JSON where it is that, as `5` or `["a"]`, else the text itself; the form shows it so."""
    try:
        return parse_json(text) if text else None
    except (ValueError, RecursionError):
        return text


def _text(data: FormData, name: str) -> str | None:
    value = data.get(name)
    return value.strip() or None if isinstance(value, str) else None


def _priority(data: FormData, place: int) -> int:
    text = _text(data, f"s{place}.priority") or "100"
    if not text.removeprefix("-").isdigit() or not text.isascii():
        raise BadSetting(f"The priority '{text[:20]}' is no whole number.")
    return int(text[:9])
