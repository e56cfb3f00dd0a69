"""Brings what people and servers give into the shape that is wanted, or says that it has another."""

from typing import Any

from connector_host import Failed, InvalidInput, parse_json


def json_object(title: str, text: str, example: str) -> dict[str, Any]:
    """Return the object that JSON text means; raises InvalidInput naming the parameter by its title."""
    try:
        parsed = parse_json(text)
    except ValueError as error:
        raise InvalidInput(title, f"It is not JSON: {error}.", f"Example: {example}") from None
    if not isinstance(parsed, dict):
        raise InvalidInput(title, "It must be a JSON object.", f"Example: {example}")
    return parsed


def list_in(answer: Any, name: str, *, effect: str = "none") -> list[Any]:
    """Return the list under a name of an answer; raises Failed where there is none: with the request's effect."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise Failed(
            f"The server's answer does not have the promised shape: it has no list '{name}'.",
            kind="unexpected_reply",
            assistance="Check the server URL and the API version.",
            effect=effect,
        )
    return found


def object_of(value: Any) -> dict[str, Any]:
    """Return an object as it is, and an empty one for anything else that stands in its place."""
    return value if isinstance(value, dict) else {}


def refusal_in(answer: Any) -> Failed | None:
    """Return the refusal that a good answer, or a thing in it, holds; None where it holds none."""
    if not isinstance(answer, dict) or not (answer.get("error") or answer.get("errors")):
        return None
    error = answer.get("error")
    told = error if isinstance(error, dict) else {"message": error}
    reasons = told.get("errors") or answer.get("errors") or []
    detail = "; ".join(map(str, reasons)) if isinstance(reasons, list) else str(reasons)
    message = told.get("message") or answer.get("message") or detail
    return Failed(str(message), kind="rejected", detail=detail if detail != message else "")


def is_named(thing: Any, query: str | None) -> bool:
    """Whether a name holds a text, where one is asked for; not every list of PagerDuty's can be asked."""
    return (
        query is None
        or query.casefold() in str(object_of(thing).get("name") or object_of(thing).get("summary")).casefold()
    )
