"""What a declared credential command hands out: one field of the reply, where the manifest says the fields stand."""

from collections.abc import Mapping
from typing import Any

from connector_host.contract.authoring import Failed
from connector_host.contract.errors import InvocationError, UnexpectedReply
from connector_host.contract.model import Kind
from connector_host.contract.paths import ABSENT, PathSyntaxError, compile_path
from connector_host.contract.ports import Job

_PARAMETER = "$.connection."


def handed_out(job: Job, reply: Any) -> dict[str, Any] | InvocationError:
    """Return the field that was asked for as `value`, and how long it may be kept, or why there is none."""
    credential = job.command.credential
    assert credential is not None  # noqa: S101 - chosen for commands that have one
    wanted = str(job.inputs["field"])
    fields = _found(job, credential.fields, reply)
    if not isinstance(fields, Mapping):
        return UnexpectedReply(
            "The vault's answer has no fields where they should be.",
            assistance=f"Check where the connection says that the fields stand ({credential.fields}).",
        )
    if fields.get(wanted) is None:
        known = ", ".join(sorted(map(str, fields))[:20]) or "none"
        return Failed(
            f"There is no field '{wanted}'.",
            kind=Kind.NOT_FOUND,
            detail=f"Fields: {known}.",
            assistance="Check the field.",
        )
    lease = _found(job, credential.lease_seconds, reply) if credential.lease_seconds else None
    return {"value": fields[wanted], **({"lease_seconds": lease} if isinstance(lease, int | float) else {})}


def _found(job: Job, path: str, reply: Any) -> Any:
    """Look a path up in the reply; a path may itself stand in a connection parameter."""
    if path.startswith(_PARAMETER):
        path = job.opened.values.get(path.removeprefix(_PARAMETER)) or ""
    if not path:
        return None
    try:
        value = reply if path == "$" else compile_path(path).first(reply)
    except PathSyntaxError as error:
        raise UnexpectedReply(f"The JSONPath '{path}' can not be parsed: {error}.") from None
    return None if value is ABSENT else value
