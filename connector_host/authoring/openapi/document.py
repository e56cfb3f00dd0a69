"""Names for people and for manifests, made of an OpenAPI document's names."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

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


METHODS = ("get", "post", "put", "patch", "delete")
_DEEPEST = 6  # levels of a schema that are written out; below, anything goes
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
        self.document = _read(Path(source))
        self.left_out: list[str] = []
        self.operations = {one.id: one for one in self._operations()}

    def chosen(self, names: list[str]) -> list[Operation]:
        """Return the named operations; raises WrongUse for one that is not there."""
        for name in names:
            if name not in self.operations:
                raise WrongUse(f"The document has no operation '{name}'. {hint(name, self.operations)[0]}")
        return [self.operations[name] for name in names]

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.document.get("paths", {}).items():
            shared = item.get("parameters", [])
            for method in METHODS:
                spec = item.get(method)
                if isinstance(spec, Mapping):
                    name = (
                        str(spec.get("operationId") or "")
                        or f"{method}_{re.sub(r'[^A-Za-z0-9]+', '_', path).strip('_')}"
                    )
                    several = {
                        (one["name"], one["in"]): one
                        for one in map(self.resolved, [*shared, *spec.get("parameters", [])])
                    }
                    yield Operation(str(name), method.upper(), path, tuple(several.values()), spec)

    def resolved(self, node: Any) -> Any:
        """Follow a $ref within the document."""
        for _ in range(20):
            if not (isinstance(node, Mapping) and "$ref" in node):
                return node
            reference = str(node["$ref"])
            if not reference.startswith("#/"):
                raise WrongUse(
                    f"The document refers to {reference}, which stands outside. Bundle it into one file first."
                )
            node = _found(self.document, reference)
        raise WrongUse("The document's references go round in a circle.")

    def schema(self, node: Any, *, lenient: bool = False, depth: int = 0) -> Any:
        """Return a schema as JSON Schema (2020-12), written out.

        A lenient one is for answers: it says which types there are, allows null, and demands nothing.
        """
        node = self.resolved(node)
        if not isinstance(node, Mapping) or depth > _DEEPEST:
            return {}

        def inner(part: Any) -> Any:
            return self.schema(part, lenient=lenient, depth=depth + 1)

        merged = self._merged(node)
        made = {key: value for key, value in merged.items() if key not in _LEFT_OUT and not key.startswith("x-")}
        for word in ("items", "additionalProperties"):
            if isinstance(made.get(word), Mapping):
                made[word] = inner(made[word])
        if "properties" in made:
            written = {name: one for name, one in made["properties"].items() if lenient or not self._read_only(one)}
            made["properties"] = {name: inner(one) for name, one in written.items()}
        for word in ("oneOf", "anyOf"):
            if word in made:
                made[word] = [inner(one) for one in made[word]]
        return _leniently(made) if lenient else _nullable(made, merged)

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


def _found(document: Any, reference: str) -> Any:
    """Return what a JSON pointer (RFC 6901) points to."""
    for part in reference.removeprefix("#/").split("/"):
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        try:
            document = document[int(key)] if isinstance(document, list) else document[key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise WrongUse(f"The document refers to {reference}, which is not there.") from None
    return document


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


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise WrongUse(f"The document {file} cannot be read ({error.strerror}).") from error
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except ValueError as error:
        raise WrongUse(f"The document {file} is neither JSON nor YAML: {error}.") from error
    if not isinstance(value, dict) or not str(value.get("openapi", "")).startswith("3"):
        raise WrongUse(f"{file} is no OpenAPI 3 document.")
    return value


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - only a document in YAML pays

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
