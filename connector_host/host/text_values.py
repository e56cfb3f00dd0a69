"""Values that come as text, of a command line or a form: each means what its parameter's schema makes of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.model.invocation_errors import InvalidInput
from connector_host.model.json_text import parse_json


def read_text(text: Any, schema: Mapping[str, Any], name: str) -> Any:
    """Return the value that text means to a parameter's schema; what is no text is returned as it is.

    A parameter that takes text gets the text. For all others it is JSON; where a list is wanted, what is none is the
    list of one. Raises InvalidInput for what begins as JSON and is none; the rest the schema refuses in its own words.
    """
    if not isinstance(text, str):
        return text
    kinds = frozenset(_kinds(schema))
    if "string" in kinds:
        return text
    try:
        value = parse_json(text)
    except ValueError as error:
        if text.lstrip()[:1] in {"[", "{", '"'}:
            title = str(schema.get("error_title") or schema.get("title") or name)
            raise InvalidInput(title, f"It is not JSON: {error}.", pointer=f"/{name}") from None
        value = text
    if "array" in kinds and not isinstance(value, list) and not ("object" in kinds and isinstance(value, dict)):
        items = schema.get("items", {})
        one = read_text(text, items, name) if isinstance(items, Mapping) else value
        return [one] if value is not None else None
    return value


def read_texts(given: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return values, those that come as text read by their parameters' schemas; raises InvalidInput."""
    return {name: read_text(value, properties.get(name, {}), name) for name, value in given.items()}


def _kinds(schema: Mapping[str, Any]) -> Iterator[str]:
    """Return the types that a schema may take; a schema that says none of them takes text where it is plain."""
    said = schema.get("type")
    if said is not None:
        yield from ([said] if isinstance(said, str) else said)
        return
    branches = [one for key in ("oneOf", "anyOf", "allOf") for one in schema.get(key, ()) if isinstance(one, Mapping)]
    found = [kind for branch in branches if "const" not in branch for kind in _kinds(branch)]
    yield from found or ["string"]
