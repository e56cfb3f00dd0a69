"""Reads a reply: JSON out of a good one, one error with status, code, sentence and advice out of any other."""

import json
from typing import Any

import msgspec

from connector_host.http.json_bounds import mended_as_read, refusal
from connector_host.http.refusals import Refusals, is_page, title_of
from connector_host.model.invocation_errors import UnexpectedReply
from connector_host.model.json_text import finite, no_constant
from connector_host.ports.parts import Reply


def json_of(reply: Reply, refusals: Refusals) -> Any:
    """Return the reply's JSON, None for an empty good reply; raises ApiError, UnexpectedReply."""
    refuse_bad(reply, refusals)
    return parsed(reply) if reply.body.strip() else None


def refuse_bad(reply: Reply, refusals: Refusals) -> None:
    """Raise ApiError for a refusal, and UnexpectedReply for what is neither that nor a good reply."""
    if reply.status >= 400:  # noqa: PLR2004 - RFC 9110, 15.5 and 15.6
        raise refusals.error(reply)
    if not 200 <= reply.status < 300:  # noqa: PLR2004 - RFC 9110, 15.3
        raise UnexpectedReply(
            f"The server answered with status {reply.status}, which its API does not promise.",
            http_status=reply.status,
        )


def text_of(reply: Reply) -> str:
    """Return the body as text; raises UnexpectedReply."""
    try:
        return reply.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise not_json(reply, "it is not UTF-8 text") from None


def refuse_hostile(reply: Reply) -> None:
    """Raise UnexpectedReply for JSON that would fill the memory, or is nested beyond all use."""
    reason = refusal(reply.body)
    if reason is not None:
        raise UnexpectedReply(
            f"The server's answer is not read: {reason}.",
            assistance="Ask for less at once; if that is right, the service may be out of order.",
            http_status=reply.status,
        )


def parsed(reply: Reply) -> Any:
    """Return the body's JSON; raises UnexpectedReply."""
    refuse_hostile(reply)
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        text = text_of(reply)  # NaN, half characters, a byte order mark: rare, and told or mended by the slower reader
    try:
        value = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise not_json(reply, str(error)) from None
    return mended_as_read(text, value)


DECODER = json.JSONDecoder(parse_constant=no_constant, parse_float=finite)


def not_json(reply: Reply, reason: str) -> UnexpectedReply:
    """Return what a good status with a bad body is."""
    if is_page(reply.body):
        title = title_of(reply.body)
        shown = f" ('{title}')" if title else ""
        return UnexpectedReply(
            f"The server answered with an HTML page{shown}, not with JSON.",
            assistance="Check the server URL: a login page or a proxy may stand in the way.",
            http_status=reply.status,
        )
    return UnexpectedReply(
        "The server's answer is not JSON.",
        detail=reason,
        assistance="Check the server URL; if it is right, the service may be out of order.",
        http_status=reply.status,
    )


def wrong_shape(reply: Reply, what: str) -> UnexpectedReply:
    """Return what JSON of another shape is."""
    return UnexpectedReply(
        f"The server's answer does not have the promised shape: {what}.",
        assistance="Check the server URL and the API version.",
        http_status=reply.status,
    )
