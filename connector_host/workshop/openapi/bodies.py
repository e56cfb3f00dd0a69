"""The body of a request, taken apart into inputs: JSON, a form, or parts with files."""

from collections.abc import Mapping
from typing import Any

from connector_host.contract.errors import WrongUse
from connector_host.workshop.openapi.document import FORM, JSON, PARTS, OpenApi, Operation
from connector_host.workshop.openapi.inputs import Inputs
from connector_host.workshop.openapi.words import snake


def body_of(api: OpenApi, operation: Operation, inputs: Inputs) -> dict[str, Any]:
    """Return a request's `body`, `form` or `multipart`, and the header of a JSON type that is not JSON's own.

    Raises WrongUse for a body that a declared request can not write.
    """
    kind, media = api.content(operation.spec.get("requestBody"))
    if not kind:
        return {}
    schema = api.schema(media.get("schema", {}))
    if JSON.fullmatch(kind):
        headers = {} if kind in {"application/json", "*/*"} else {"headers": {"Content-Type": kind}}
        return {"body": _json(schema, inputs), **headers} if schema else {}
    part = next((part for pattern, part in ((FORM, "form"), (PARTS, "multipart")) if pattern.fullmatch(kind)), None)
    if part is None or not schema.get("properties"):
        raise WrongUse(
            f"The operation '{operation.id}' sends {kind}, which a declared request can not. "
            f"Leave it out, and write the command in Python."
        )
    return {part: _parts(schema, inputs)}


def _json(schema: Mapping[str, Any], inputs: Inputs) -> Any:
    """Objects at the top, and one around them, are taken apart; anything else is one input."""
    properties = schema.get("properties", {})
    wrapped = next(iter(properties), "")
    if len(properties) == 1 and properties[wrapped].get("properties"):
        return {wrapped: _parts(properties[wrapped], inputs)}
    if properties:
        return _parts(schema, inputs)
    return inputs.declare("body", schema, "The request's body", required=True)


def _parts(schema: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    template: dict[str, Any] = {}
    required = schema.get("required", [])
    for name, one in schema["properties"].items():
        options = one.get("enum", [])
        if len(options) == 1 and name in required:
            template[name] = options[0]
        else:
            template[name] = inputs.declare(snake(name), one, "", required=name in required)
    return template
