"""What goes wrong, as problem documents (RFC 9457); the server explains each kind at its `type`."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from connector_host.model import errors
from connector_host.model.invocation_errors import InvocationError
from connector_host.model.result import json_text

MEDIA = "application/problem+json"


class Kind:
    """One kind of problem: its place below /problems/, its status, and what it says for all of its kind."""

    def __init__(self, slug: str, status: int, title: str, explained: str) -> None:
        self.slug, self.status, self.title, self.explained = slug, status, title, explained


_ALL = (
    Kind(
        "unauthorized",
        401,
        "Who asks is not known",
        "Send `Authorization: Bearer TOKEN` with a token that holds; `connector-host tokens add` makes one.",
    ),
    Kind(
        "forbidden", 403, "It is not allowed", "The token lacks the scope, or its holder the right. Nothing was done."
    ),
    Kind(
        "not-found",
        404,
        "It is not there",
        "There is nothing of that name that you may see. What you have no right to is answered in the same words.",
    ),
    Kind("method", 405, "The method is another", "The address is right, and takes other methods: see `Allow`."),
    Kind(
        "conflict",
        409,
        "It is there already, or under way",
        "A name that is taken, or an idempotency key whose first call still runs. Ask again later, or choose another.",
    ),
    Kind(
        "changed",
        412,
        "Somebody changed it in the meantime",
        "Read it again, and repeat your change with its new ETag.",
    ),
    Kind("too-large", 413, "It is too large", "Bodies have at most 1,000,000 bytes, files 25,000,000."),
    Kind("media", 415, "The body is of another kind", "Send JSON, as application/json and without a Content-Encoding."),
    Kind(
        "misdirected",
        421,
        "Another server is meant",
        "The Host header names something that this server is not. Say --base-url where it has another name.",
    ),
    Kind(
        "invalid",
        422,
        "Something in it is wrong",
        "`errors` says what, where (a JSON pointer into the body), and what to do.",
    ),
    Kind(
        "precondition",
        428,
        "Say which version you mean",
        "Send If-Match with the ETag that you read, so that nobody's change is lost.",
    ),
    Kind("too-many", 429, "Too many at once", "Wait as long as Retry-After says."),
    Kind(
        "fault",
        500,
        "A fault of this server",
        "It is in its log under the reference. Nothing says that it was your doing.",
    ),
    Kind(
        "unavailable",
        503,
        "It cannot be done now",
        "The store cannot be read or written, or a key does not open. The detail says what to do.",
    ),
)
KINDS: Mapping[str, Kind] = {one.slug: one for one in _ALL}
_OF_ERRORS: Sequence[tuple[type[Exception], str]] = (
    (errors.UnknownPlugin, "not-found"),
    (errors.UnknownCommand, "not-found"),
    (errors.UnknownConnection, "not-found"),
    (errors.BrokenPlugin, "unavailable"),
    (errors.NotAllowed, "forbidden"),
    (errors.ConnectionExists, "conflict"),
    (errors.InvocationExists, "conflict"),
    (errors.ConnectionChanged, "changed"),
    (errors.WrongUse, "invalid"),
    (InvocationError, "invalid"),
    (errors.ManifestError, "unavailable"),
    (errors.StoreError, "unavailable"),
    (errors.SealError, "unavailable"),
    (errors.NoticeUndelivered, "unavailable"),
)


class Problem(Exception):
    """A request that is answered with a problem document; `faults` are its `errors`."""

    def __init__(
        self,
        slug: str,
        detail: str = "",
        faults: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or KINDS[slug].title)
        self.kind, self.detail, self.faults, self.headers = KINDS[slug], detail, tuple(faults), dict(headers or {})


def problem_of(error: Exception) -> Problem:
    """Return what is told of one of the host's errors."""
    slug = next((slug for kind, slug in _OF_ERRORS if isinstance(error, kind)), "fault")
    words = str(error) if slug != "fault" else ""
    faults = [{"pointer": "", "detail": words, "assistance": ""}] if slug == "invalid" else ()
    return Problem(slug, words, faults)


def response_of(problem: Problem, base: str, request_id: str, reference: str | None = None) -> Response:
    """Return the document; `base` is where the server is, as its configuration says."""
    kind = problem.kind
    document: dict[str, Any] = {
        "type": f"{base}/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail or kind.explained,
        "request_id": request_id,
    }
    if problem.faults:
        document["errors"] = list(problem.faults)
    if reference is not None:
        document["reference"] = reference
    headers = {"Cache-Control": "no-store", **problem.headers}
    if kind.slug == "unauthorized":
        headers["WWW-Authenticate"] = "Bearer"
    return Response(json_text(document), kind.status, headers, MEDIA)
