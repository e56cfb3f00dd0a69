"""A command's inputs, as an operation's parameters and body ask for them."""

from collections.abc import Mapping
from typing import Any

from connector_host.kernel.schema import Checker
from connector_host.testing.values import fitting
from connector_host.workshop.openapi.document import OpenApi
from connector_host.workshop.openapi.samples import plain
from connector_host.workshop.openapi.words import sentence, snake, titled

_BINARY = ("binary", "byte")


class Inputs:
    """The inputs of one command, each declared once: `properties` and `required` of its schema."""

    def __init__(self, api: OpenApi) -> None:
        self.properties: dict[str, Any] = {}
        self.required: list[str] = []
        self._api = api

    def of_parameter(self, parameter: Mapping[str, Any]) -> str:
        """Declare a parameter; returns the path to its value."""
        schema = parameter.get("schema") or self._api.content(parameter)[1].get("schema", {})
        description = str(parameter.get("description", ""))
        if parameter["in"] == "query" and self._api.schema(schema).get("type") == "array" and _in_one_text(parameter):
            schema, description = {"type": "string"}, f"{sentence(description or 'Values')[:-1]}, separated by commas."
        required = bool(parameter.get("required"))
        path = self.declare(parameter["name"], schema, description, required=required, place=parameter["in"])
        declared, example = self.properties[path.rpartition(".")[2]], parameter.get("example")
        if example is not None and keepable(example) and Checker(declared).accepts(example):
            declared["examples"] = [example]
        return path

    def declare(self, name: str, schema: Any, description: str, *, required: bool, place: str = "body") -> str:
        """Declare an input; returns the path to its value. A name that is taken gets its place before it."""
        key = snake(name) if snake(name) not in self.properties else f"{place}_{snake(name)}"
        told = self._api.schema(schema)
        kept = {word: value for word, value in told.items() if keepable(value) and word not in {"title", "description"}}
        if kept.get("type") == "string" and kept.get("format") in _BINARY:
            kept = {"type": "string", "format": "file"}
        if "default" in kept and not Checker(kept).accepts(kept["default"]):
            del kept["default"]
        words = description or told.get("description") or f"The {key.replace('_', ' ')}"
        made = self.properties[key] = {"title": titled(key), "description": sentence(words), **kept}
        if not {"examples", "default", "enum"} & made.keys() and made.get("type") != "boolean":
            example = fitting(made, key)
            made |= {"examples": [example]} if example is not None else {}
        if required:
            self.required.append(key)
        return f"$.input.{key}"

    def schema(self) -> dict[str, Any]:
        """Return the schema of all inputs; empty where there are none."""
        if not self.properties:
            return {}
        return {**({"required": self.required} if self.required else {}), "properties": self.properties}

    def examples(self) -> dict[str, Any]:
        """Return a value for each input that must be given."""
        return {name: fitting(self.properties[name], name) for name in self.required}


def keepable(value: Any) -> bool:
    """Whether strict YAML has words for a value."""
    return bool(plain(value) == value) and not isinstance(value, float)


def _in_one_text(parameter: Mapping[str, Any]) -> bool:
    """Whether a query's list travels as one text, and not as a key for each (OpenAPI 3.1, 4.8.12)."""
    return parameter.get("style", "form") != "form" or parameter.get("explode") is False
