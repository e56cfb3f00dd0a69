"""Tokens: fixed, or from a login by AppRole or certificate; kept in memory, renewed in time, never stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from connector_host import ApiError, AsyncCall, Failed, url

FORBIDDEN, RENEW_AT = 403, 1 / 3


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and when it must be renewed (Unix seconds; None for never)."""

    text: str = field(repr=False)
    renew_at: float | None = None
    renewable: bool = False
    from_login: bool = False


async def asked(call: AsyncCall, method: str, path: str, body: Any = None) -> Mapping[str, Any]:
    """Ask the vault with a token that holds; a token from a login that was revoked meanwhile is replaced once.

    Raises Failed: kind `unauthorized` where the token is the reason, `access_denied` where its policy is.
    """
    token = await _current(call)
    try:
        return await _send(call, method, path, body, token)
    except ApiError as error:
        if error.failure.http_status != FORBIDDEN:
            raise _as_failed(error) from error
        if await _holds(call, token):
            raise Failed(
                "The vault refuses: permission denied.", kind="access_denied", http_status=FORBIDDEN
            ) from error
    call.memory.pop("token", None)
    if not token.from_login:
        raise _expired()
    try:
        return await _send(call, method, path, body, await _current(call))
    except ApiError as error:
        raise _as_failed(error) from error


async def looked_up(call: AsyncCall) -> Mapping[str, Any]:
    """Return what the vault knows of our token."""
    answer = await asked(call, "GET", "/v1/auth/token/lookup-self")
    return answer.get("data") or {}


async def _send(call: AsyncCall, method: str, path: str, body: Any, token: Token | None) -> Mapping[str, Any]:
    headers = {"X-Vault-Token": token.text} if token else {}
    answer = await call.request(method, path, server="vault", headers=headers, json=body)
    return answer if isinstance(answer, Mapping) else {}


async def _current(call: AsyncCall) -> Token:
    """Return the token in use: a fresh one, or one renewed in time; of several commands at once only one logs in."""
    lock: anyio.Lock = call.memory.setdefault("login", anyio.Lock())
    async with lock:
        token: Token | None = call.memory.get("token")
        if token is None:
            token = await _begun(call)
        elif token.renew_at is not None and call.now().timestamp() >= token.renew_at:
            token = await _renewed(call, token)
        call.memory["token"] = token
    return token


async def _begun(call: AsyncCall) -> Token:
    """Log in, or look at the fixed token."""
    method = call.connection["auth_method"]
    if method == "token":
        return await _fixed(call)
    mount = call.connection.get("login_mount") or method
    body = {"cert": {"name": call.connection.get("cert_role")}, "approle": _role(call)}[method]
    path = url("/v1/auth" + "/{}" * len(mount.split("/")) + "/login", *mount.split("/"))
    try:
        answer = await _send(call, "POST", path, {key: value for key, value in body.items() if value}, None)
    except ApiError as error:
        if error.failure.http_status in {400, 403}:
            raise Failed(
                f"The vault refuses the login by {method}.",
                kind="unauthorized",
                detail=str(error),
                http_status=error.failure.http_status,
                assistance="Check the role and its credentials; a secret ID can expire, or be used up.",
            ) from error
        raise _as_failed(error) from error
    return _of(call, answer.get("auth") or {}, from_login=True)


def _role(call: AsyncCall) -> dict[str, Any]:
    if call.connection["auth_method"] == "approle" and not call.connection.get("role_id"):
        raise Failed(
            "The login by approle needs a Role ID.", kind="invalid_input", assistance="Add it to the connection."
        )
    return {"role_id": call.connection.get("role_id"), "secret_id": call.connection.get("secret_id")}


async def _fixed(call: AsyncCall) -> Token:
    text = call.connection.get("token")
    if not text:
        raise Failed("The login by token needs a Token.", kind="invalid_input", assistance="Add it to the connection.")
    try:
        answer = await _send(call, "GET", "/v1/auth/token/lookup-self", None, Token(text))
    except ApiError as error:
        if error.failure.http_status == FORBIDDEN:
            raise _expired() from error
        raise _as_failed(error) from error
    facts = answer.get("data") or {}
    return _of(call, {**facts, "client_token": text, "lease_duration": facts.get("ttl")}, from_login=False)


async def _renewed(call: AsyncCall, token: Token) -> Token:
    """Renew; what cannot be renewed is replaced by a new login, or used to its end."""
    if token.renewable:
        try:
            answer = await _send(call, "POST", "/v1/auth/token/renew-self", {}, token)
            return _of(call, answer.get("auth") or {}, from_login=token.from_login)
        except ApiError as error:
            if error.failure.http_status not in {400, 403}:
                raise _as_failed(error) from error
    return await _begun(call)


async def _holds(call: AsyncCall, token: Token) -> bool:
    try:
        await _send(call, "GET", "/v1/auth/token/lookup-self", None, token)
    except ApiError as error:
        if error.failure.http_status == FORBIDDEN:
            return False
        raise _as_failed(error) from error
    return True


def _of(call: AsyncCall, facts: Mapping[str, Any], *, from_login: bool) -> Token:
    text, seconds = facts.get("client_token"), facts.get("lease_duration") or 0
    if not isinstance(text, str):
        raise Failed("The vault's login gave no token.", kind="unexpected_reply")
    call.conceal(text)
    renew_at = call.now().timestamp() + seconds * (1 - RENEW_AT) if seconds else None
    return Token(text, renew_at, bool(facts.get("renewable")), from_login)


def _expired() -> Failed:
    return Failed(
        "The connection's token expired, or was revoked.",
        kind="unauthorized",
        http_status=FORBIDDEN,
        assistance="Give the connection a new token.",
    )


def _as_failed(error: ApiError) -> Failed:
    """Return a refusal as it is, in a class whose kind and words can be set."""
    failure = error.failure
    return Failed(
        failure.message, code=failure.code, kind=failure.kind, detail=failure.detail, http_status=failure.http_status
    )
