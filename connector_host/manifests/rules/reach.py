"""What a rule looks at: the manifest's value with its places, and what paths in it can reach."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, field

from connector_host.manifests.source_map import Document, Where
from connector_host.manifests.wording import hint
from connector_host.model.failure import Problem
from connector_host.model.paths import PathSyntaxError, compile_path, steps_of

Roots = Mapping[str, frozenset[str]]
PLACED = re.compile(r"\{(\$[^{}]*)\}")
_OPEN: frozenset[str] = frozenset()  # a root under which anything may be


class Plugin(Struct, frozen=True, dict=True):
    """A plugin being examined; `set_aside` are names in parts that are wrong already, and not declared for it."""

    document: Document
    value: dict[str, Any]
    outputs: Mapping[str, Any]
    set_aside: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def connection(self) -> dict[str, Any]:
        """The connection's parameters."""
        return dict(self.value["connection"].get("properties", {}))

    @property
    def commands(self) -> dict[str, Any]:
        """The commands."""
        return dict(self.value["commands"])

    @property
    def servers(self) -> dict[str, Any]:
        """The servers."""
        return dict(self.value.get("servers", {}))

    def roots(self, command: Mapping[str, Any] | None = None) -> dict[str, frozenset[str]]:
        """Return where a template's paths may begin, and the names below."""
        found = {"connection": frozenset(self.connection)}
        if command is not None:
            found["element"] = _OPEN
            found["input"] = frozenset(command.get("input", {}).get("properties", {}))
            if command.get("each"):
                found["item"] = _OPEN
        return found

    def unknown(
        self,
        where: Where,
        rule: str,
        name: str,
        known: Collection[str],
        what: str,
        *,
        key: bool = False,
        rest: str = "",
    ) -> Iterator[Problem]:
        """Tell of a name that is not among the known ones; `rest` is what follows the name where it stands."""
        if name in known or name in self.set_aside:
            return
        names = tuple(sorted(known))
        advice, near = hint(name, names)
        fix = f"{near}{rest}" if near else None
        yield self.document.problem(where, rule, f"'{name}' is no {what}.", advice, key=key, allowed=names, fix=fix)

    def templates(self, where: Where, value: Any, roots: Roots) -> Iterator[Problem]:
        """Hold each `$.path` in a template against what it may begin at."""
        if isinstance(value, dict):
            for key, child in value.items():
                yield from self.templates((*where, key), child, roots)
        elif isinstance(value, list):
            for index, child in enumerate(value):
                yield from self.templates((*where, index), child, roots)
        elif isinstance(value, str):
            for placed in paths_in(value):
                yield from self.path(where, placed, roots)

    def path(self, where: Where, path: str, roots: Roots | None = None) -> Iterator[Problem]:
        """Hold one path against the grammar and, where `roots` are given, against what it may begin at."""
        try:
            compile_path(path)
        except PathSyntaxError as error:
            cause = f"The JSONPath '{path}' cannot be parsed: {error}."
            yield self.document.problem(where, "bad-path", cause, "Write it as $.incidents[*].id.")
            return
        if roots is not None:
            yield from self._root(where, path, roots)

    def _root(self, where: Where, path: str, roots: Roots) -> Iterator[Problem]:
        root, _, rest = path.removeprefix("$.").partition(".")
        root, name = root.partition("[")[0], re.split(r"[.\[]", rest)[0]
        if root not in roots:
            begin = ", ".join(f"$.{known}" for known in sorted(roots))
            cause = f"'{path}' begins at '{root}', which is not there."
            yield self.document.problem(where, "unknown-reference", cause, f"Begin with {begin}.")
        elif roots[root] and name and name not in roots[root] and name not in self.set_aside:
            known = tuple(sorted(roots[root]))
            advice, near = hint(name, known)
            cause = f"'{path}' names '{name}', which is not declared."
            mended = self._mended(where, path, f"$.{root}.{name}", f"$.{root}.{near}") if near else None
            yield self.document.problem(where, "unknown-reference", cause, advice, allowed=known, fix=mended)

    def _mended(self, where: Where, path: str, wrong: str, right: str) -> str | None:
        """Return the text at `where` with the path mended, where that is all that stands there."""
        mark = self.document.values.get(where)
        line = self.document.text.splitlines()[mark.line - 1] if mark else ""
        written = line[mark.column - 1 : mark.column - 1 + mark.length] if mark else ""
        return written.replace(wrong, right) if path in written else None


def paths_in(text: str) -> list[str]:
    """Return the paths in a template's text; the dots of `{$.path...}` are no part of one."""
    return (
        [text]
        if text.startswith("$.")
        else [path.partition(" join ")[0].removesuffix("...") for path in PLACED.findall(text)]
    )


def texts_in(value: Any) -> Iterator[str]:
    """Return every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from texts_in(child)
    elif isinstance(value, list):
        for child in value:
            yield from texts_in(child)


def resolves(path: str, schema: Any) -> bool:
    """Whether what a schema describes can hold something at a plain path; True where the schema does not say."""
    steps = steps_of(path)
    return True if steps is None else _reaches(steps, schema, schema)


def reaches_of(intake: Mapping[str, Any]) -> Iterator[tuple[Where, str, bool]]:
    """Return each path of an intake with its place, from the whole of the raw data on; and whether it must be there."""
    incident = intake["incident"]["path"]
    yield ("incident", "path"), incident, True
    one = _each(incident)
    event = one if intake["event"]["path"] == "$" else _each(one + intake["event"]["path"].removeprefix("$"))
    yield ("event", "unique_key"), event + intake["event"]["unique_key"].removeprefix("$"), True
    if "time" in intake.get("cursor", {}):
        yield ("cursor", "time"), one + intake["cursor"]["time"].removeprefix("$"), True
    tables: list[tuple[Where, str, Any]] = [(("incident", "fields"), one, intake["incident"]["fields"])]
    for index, source in enumerate(intake["event"]["sources"]):
        tables.append((("event", "sources", index, "fields"), event, source["fields"]))
    for place, base, rows in tables:
        for index, row in enumerate(rows):
            if "source" in row:
                yield (*place, index, "source"), base + row["source"].removeprefix("$"), False


def _each(path: str) -> str:
    return path if path.endswith("]") else f"{path}[*]"


def _reaches(steps: tuple[str | int | None, ...], schema: Any, whole: Any) -> bool:
    if not steps or not isinstance(schema, Mapping):
        return schema is not False
    if "$ref" in schema:
        return _reaches(steps, _referred(str(schema["$ref"]), whole), whole)
    branches = [branch for word in ("oneOf", "anyOf", "allOf") for branch in schema.get(word, [])]
    if any(_reaches(steps, branch, whole) for branch in branches if _describes(branch)):
        return True
    step, rest = steps[0], steps[1:]
    if not _may_be(schema, "object" if isinstance(step, str) else "array"):
        return step is None and _may_be(schema, "object")
    return _reaches_below(step, rest, schema, whole) if _describes(schema) else not branches


def _reaches_below(
    step: str | int | None, rest: tuple[str | int | None, ...], schema: Mapping[str, Any], whole: Any
) -> bool:
    if not isinstance(step, str):
        return _reaches(rest, schema.get("items", True), whole)
    if "properties" not in schema:
        return True
    return _reaches(rest, schema["properties"].get(step, schema.get("additionalProperties", False)), whole)


def _may_be(schema: Mapping[str, Any], kind: str) -> bool:
    kinds = schema.get("type") or kind
    return kind in (kinds if isinstance(kinds, list) else [kinds])


def _describes(branch: Any) -> bool:
    return isinstance(branch, Mapping) and bool({"properties", "items", "$ref"} & branch.keys())


def _referred(reference: str, whole: Any) -> Any:
    found = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, True) if isinstance(found, Mapping) else True
    return found
