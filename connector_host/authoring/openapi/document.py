"""An OpenAPI document as it is read: its operations, its schemas written out, and names made of its names."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from connector_host.authoring.openapi.references import References
from connector_host.manifests.patterns import without_unusable
from connector_host.manifests.wording import hint
from connector_host.model.errors import WrongUse
from connector_host.model.guarded import Guarded

_SHORT = {"id": "ID", "ids": "IDs", "url": "URL", "urls": "URLs", "api": "API", "ip": "IP"}


def words(name: str) -> list[str]:
    """Return the words that a name is made of."""
    return re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+", name)


def snake(name: str) -> str:
    """Return a name as a manifest has it."""
    made = "_".join(word.lower() for word in words(name))
    return made if made[:1].isalpha() else f"p_{made}"


def sentence(text: str) -> str:
    """Return the first sentence of a text."""
    first = re.split(r"(?<=[.!?])\s|\n", str(text).strip(), maxsplit=1)[0].strip()
    return first if first.endswith((".", "!", "?")) else f"{first}."


def titled(name: str) -> str:
    """Return a name as people see it."""
    return " ".join(_SHORT.get(word.lower(), word.capitalize()) for word in words(name))


def joined(name: str) -> str:
    """Return a name as a key field has it."""
    return "".join(word[:1].upper() + word[1:] for word in words(name))


def is_data(value: Any) -> bool:
    """Whether a text of a document stays what it is where a manifest has templates: nothing in it is looked up."""
    return not (isinstance(value, str) and (value.startswith("$") or "{$" in value or value in _SPECIAL))


_SPECIAL = frozenset({"...", "[*]"})  # keys with a meaning of their own in a template
METHODS = ("get", "post", "put", "patch", "delete")
_UNREAD = ("head", "options", "trace")
_DEEPEST = 6  # levels of a schema that are written out; below, anything goes
_MOST_PARTS = 1000  # of one schema that are written out
_LEFT_OUT = frozenset(
    {"discriminator", "xml", "externalDocs", "example", "nullable", "readOnly", "deprecated", "examples"}
)


JSON = re.compile(r"application/(.+\+)?json|\*/\*")
FORM = re.compile(r"application/x-www-form-urlencoded")
PARTS = re.compile(r"multipart/form-data")
_MEDIA = (JSON.fullmatch, FORM.fullmatch, PARTS.fullmatch)


class Operation(Guarded, frozen=True):
    """One operation: its id, method and path, its parameters in full, and the rest as the document has it."""

    hidden: ClassVar[frozenset[str]] = frozenset({"spec"})
    id: str
    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    spec: Mapping[str, Any]


class OpenApi:
    """An OpenAPI 3 document; `left_out` lists what of it has no place in a manifest."""

    def __init__(self, source: str) -> None:
        references = References(Path(source))
        self.document = references.document
        self.resolved = references.resolved
        self.left_out: list[str] = []
        self._parts = 0
        self.operations: dict[str, Operation] = {}
        for one in self._operations():
            self.operations[one.id] = one

    def chosen(self, names: list[str]) -> list[Operation]:
        """Return the named operations; raises WrongUse for one that is not there."""
        for name in names:
            if name not in self.operations:
                raise WrongUse(f"The document has no operation '{name}'. {hint(name, self.operations)[0]}")
        return [self.operations[name] for name in names]

    def _operations(self) -> Iterator[Operation]:
        for path, given in self.document.get("paths", {}).items():
            item = self.resolved(given)
            shared = item.get("parameters", [])
            for method in (*METHODS, *_UNREAD):
                spec = item.get(method)
                if method in _UNREAD and isinstance(spec, Mapping):
                    self.left_out.append(f"{method.upper()} {path}: commands read JSON, which it does not answer.")
                elif isinstance(spec, Mapping):
                    several = {
                        (one["name"], one["in"]): one
                        for one in map(self.resolved, [*shared, *spec.get("parameters", [])])
                    }
                    name = self._name(spec, method, path)
                    own = {"servers": item["servers"]} if "servers" in item else {}
                    yield Operation(name, method.upper(), path, tuple(several.values()), {**own, **spec})

    def _name(self, spec: Mapping[str, Any], method: str, path: str) -> str:
        """Return an operation's id; one that another has already, or that has none, is called by method and path."""
        made = f"{method}_{re.sub(r'[^A-Za-z0-9]+', '_', path).strip('_')}"
        name = str(spec.get("operationId") or "") or made
        if name not in self.operations:
            return name
        self.left_out.append(f"the id '{name}' of {method.upper()} {path}: another has it; this one is '{made}'.")
        return made

    def schema(self, node: Any, *, lenient: bool = False, within: tuple[str, ...] = ()) -> Any:
        """Return a schema as JSON Schema (2020-12), written out.

        A lenient one is for answers: it says which types there are, allows null, and demands nothing. What is `within`
        itself is left open there, and so is what stands deep, or after very many others.
        """
        name = str(node["$ref"]) if isinstance(node, Mapping) and "$ref" in node else ""
        node = self.resolved(node)
        if not isinstance(node, Mapping) or (name and name in within) or self._is_too_much(within):
            return {}

        def inner(part: Any) -> Any:
            return self.schema(part, lenient=lenient, within=(*within, name))

        merged = self._merged(node)
        made = {key: value for key, value in merged.items() if key not in _LEFT_OUT and not key.startswith("x-")}
        if "example" in merged and not lenient:
            made["examples"] = [merged["example"]]
        elif isinstance(merged.get("examples"), list) and not lenient:
            made["examples"] = merged["examples"]
        for word in ("items", "additionalProperties"):
            if isinstance(made.get(word), Mapping):
                made[word] = inner(made[word])
        if "properties" in made:
            written = {name: one for name, one in made["properties"].items() if lenient or not self._read_only(one)}
            made["properties"] = {name: inner(one) for name, one in written.items()}
        for word in ("oneOf", "anyOf"):
            if word in made:
                made[word] = [inner(one) for one in made[word]]
        made, unusable = without_unusable(made)
        self.left_out += ["a pattern that the host's engine cannot run (a look-around, say)."] if unusable else []
        return _leniently(made) if lenient else _nullable(made, merged)

    def _is_too_much(self, within: tuple[str, ...]) -> bool:
        self._parts = self._parts + 1 if within else 0
        if self._parts > _MOST_PARTS:
            self.left_out.append(f"what stands deep in large schemas: {_MOST_PARTS:,} parts of each are written out.")
        return self._parts > _MOST_PARTS or len(within) > _DEEPEST

    def content(self, node: Any) -> tuple[str, Mapping[str, Any]]:
        """Return the media type that a body is best read or written in, and its description; "" where it has none."""
        kinds: Mapping[str, Any] = self.resolved(node or {}).get("content", {})
        plain = {kind.partition(";")[0].strip().lower(): kind for kind in kinds}
        chosen = next((kind for fits in _MEDIA for kind in plain if fits(kind)), next(iter(plain), ""))
        return (chosen, kinds[plain[chosen]]) if chosen else ("", {})

    def _read_only(self, node: Any) -> bool:
        return bool(self._merged(self.resolved(node)).get("readOnly"))

    def _merged(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """Return a schema whose allOf is one object."""
        merged: dict[str, Any] = {key: value for key, value in node.items() if key != "allOf"}
        for part in node.get("allOf", []):
            for key, value in self._merged(self.resolved(part)).items():
                if key == "properties":
                    merged[key] = {**value, **merged.get(key, {})}
                elif key == "required":
                    merged[key] = list(dict.fromkeys([*merged.get(key, []), *value]))
                else:
                    merged.setdefault(key, value)
        return merged


def _nullable(made: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    if node.get("nullable") and isinstance(made.get("type"), str):
        return {**made, "type": [made["type"], "null"]}
    return made


def _leniently(made: dict[str, Any]) -> dict[str, Any]:
    kept = ("type", "title", "description", "properties", "items", "oneOf", "anyOf", "additionalProperties")
    made = {key: made[key] for key in kept if key in made}
    if isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if {"oneOf", "anyOf"} & made.keys():
        branches = [*made.pop("oneOf", []), *made.pop("anyOf", [])]
        made = made if "properties" in made else {"anyOf": [*branches, {}], **made}
    return made
