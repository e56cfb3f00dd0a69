"""Tokens and sign-ins: who may act over HTTP, for whom, until when; made and revoked by the operator."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from connector_host.host.access import operator_only
from connector_host.host.core import Core
from connector_host.host.seals import mac_of_token, same
from connector_host.host.sites import checked_name
from connector_host.manifests.wording import did_you_mean
from connector_host.model.caller import UNBOUNDED, Principal, actor_of
from connector_host.model.errors import BadSetting
from connector_host.model.stored import KeptToken, SignIn
from connector_host.model.token import Scope, Token, digest_of_text, id_in, new_token_text

SESSION, LINK = timedelta(hours=8), timedelta(minutes=10)
_SHORTEST, _LONGEST = 1 / 86_400, 3650  # days
_NOTED_EACH = 60.0  # seconds between notes of a token's last use


class Tokens:
    """Tokens as they may be handled: by the operator alone."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    async def add(self, wanted: Token, *, days: float | None = None) -> tuple[Token, str]:
        """Make a token like the one wanted, good for so many days; return it with its text, which is told this once.

        Raises NotAllowed, BadSetting.
        """
        operator_only(self._caller, "make tokens")
        now, (token_id, text) = self._core.clock.now(), new_token_text()
        scopes = tuple(_scope(one) for one in wanted.scopes)
        try:
            msgspec.convert(msgspec.to_builtins(wanted), Token)
        except msgspec.ValidationError as error:
            raise BadSetting(f"A token cannot be like that: {error}.") from None
        token = replace(wanted, id=token_id, name=checked_name(wanted.name, "token"), scopes=scopes, last_used_at=None)
        self._check(token, days)
        self._check_bounds(token)
        until = None if days is None else now + timedelta(days=days)
        token = replace(token, created_at=now, expires_at=until, made_by=str(actor_of(self._caller)))
        await self._check_places(token)
        kept = await _sealed(self._core, token, digest_of_text(text))
        entry = self._core.audit.entry(
            "token.added", self._caller, token_id, name=token.name, scopes=list(token.scopes)
        )
        await self._core.store.tokens.add(kept, entry)
        return token, text

    async def list(self) -> Sequence[Token]:
        """Return all tokens, without their texts, which nobody has; raises NotAllowed."""
        operator_only(self._caller, "see tokens")
        found = [await _opened(self._core, kept) for kept in await self._core.store.tokens.list()]
        return sorted(filter(None, found), key=lambda one: one.created_at or datetime.min.replace(tzinfo=UTC))

    async def revoke(self, token_id: str) -> None:
        """Forget a token, and sign out whoever signed in by it. Raises NotAllowed, BadSetting."""
        operator_only(self._caller, "revoke tokens")
        entry = self._core.audit.entry("token.revoked", self._caller, token_id)
        if not await self._core.store.tokens.remove(token_id, self._core.clock.now().timestamp(), entry):
            raise BadSetting(f"There is no token '{token_id[:20]}'.")

    async def link(self, token_id: str) -> str:
        """Return what signs a browser in by a token, once, within ten minutes; raises NotAllowed, BadSetting."""
        operator_only(self._caller, "make links for signing in")
        if await self._core.store.tokens.get(token_id) is None:
            raise BadSetting(f"There is no token '{token_id[:20]}'.")
        return await _begun(self._core, "link", token_id, LINK)

    def _check(self, token: Token, days: float | None) -> None:
        if Scope.ADMIN in token.scopes and token.bounds != UNBOUNDED:
            raise BadSetting("A token with the scope 'admin' cannot be narrowed: it can make others.")
        if not token.scopes:
            raise BadSetting(f"A token needs a scope. There are: {', '.join(Scope)}.")
        if days is not None and not _SHORTEST <= days <= _LONGEST:
            raise BadSetting(f"A token is good for at least a second and at most {_LONGEST} days.")
        principal = token.principal
        if not principal and Scope.ADMIN not in token.scopes:
            raise BadSetting("Say for whom the token's holder acts: a user, groups, a site or a tenant.")

    def _check_bounds(self, token: Token) -> None:
        """Refuse a misspelt plugin or command; a connection may come later, and what is broken may be meant."""
        if self._core.registry.broken:
            return
        plugins = self._core.registry.plugins
        _refuse_unknown("plugin", token.plugins, list(plugins))
        among = [plugins[name] for name in token.plugins or plugins]
        _refuse_unknown("command", token.commands, [command for plugin in among for command in plugin.commands])

    async def _check_places(self, token: Token) -> None:
        places = await self._core.sites.load()
        for word, name, known in (("site", token.site, places.sites), ("tenant", token.tenant, places.tenants)):
            if name is not None and name not in known:
                raise BadSetting(f"There is no {word} '{name}'.{did_you_mean(name, list(known))}")


def _refuse_unknown(word: str, names: Sequence[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise BadSetting(f"There is no {word} '{name}'.{did_you_mean(name, known)}")


class Doorkeeper:
    """Knows whoever shows a token, or what a browser holds; None is somebody unknown."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._noted: dict[str, float] = {}
        self._seen: dict[str, tuple[bytes, str, Token]] = {}  # rows whose MAC was looked at: by it, and what they say

    async def by_token(self, text: str) -> Token | None:
        """Return the token of a text, where it is whole, known and has not run out."""
        token_id = id_in(text)
        found = await self._core.store.tokens.get(token_id) if token_id else None
        if found is None or not compare_digest(found.digest, digest_of_text(text)):
            return None
        return await self._good(found)

    async def holds(self, token: Token) -> bool:
        """Whether a token is still good."""
        kept = await self._core.store.tokens.get(token.id)
        return kept is not None and await self._good(kept) is not None

    async def by_session(self, text: str) -> Token | None:
        """Return the token by which a browser is signed in."""
        return await self._of_sign_in("session", text)

    async def by_link(self, text: str) -> str | None:
        """Use a link up; return what the browser holds from now on."""
        token = await self._of_sign_in("link", text)
        if token is None or not await self._core.store.sign_ins.remove(digest_of_text(text)):
            return None
        return await self.begin(token)

    async def begin(self, token: Token) -> str:
        """Sign a browser in; return what it holds from now on."""
        return await _begun(self._core, "session", token.id, SESSION)

    async def end(self, text: str) -> None:
        """Sign a browser out."""
        await self._core.store.sign_ins.remove(digest_of_text(text))

    async def _of_sign_in(self, kind: str, text: str) -> Token | None:
        found = await self._core.store.sign_ins.get(digest_of_text(text), kind)
        if found is None or found.expires_at <= self._core.clock.now().timestamp():
            return None
        kept = await self._core.store.tokens.get(found.token_id)
        return None if kept is None else await self._good(kept)

    async def _good(self, kept: KeptToken) -> Token | None:
        mac, document, token = self._seen.get(kept.id, (b"", "", None))
        if token is None or (mac, document) != (kept.mac, kept.document):
            token = await _opened(self._core, kept)
            if token is not None:
                self._seen[kept.id] = kept.mac, kept.document, token
        now = self._core.clock.now()
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            return None
        if now.timestamp() - self._noted.get(token.id, 0.0) > _NOTED_EACH:
            self._noted[token.id] = now.timestamp()
            await self._core.store.tokens.used(token.id, now.timestamp())
        return token


async def _begun(core: Core, kind: str, token_id: str, lasting: timedelta) -> str:
    text, now = secrets.token_urlsafe(32), core.clock.now()
    sign_in = SignIn(kind, token_id, (now + lasting).timestamp())
    await core.store.sign_ins.add(digest_of_text(text), sign_in, now.timestamp())
    return text


async def _sealed(core: Core, token: Token, digest: bytes) -> KeptToken:
    document = msgspec.json.encode(token).decode()
    return KeptToken(token.id, document, digest, mac_of_token(await core.secrets.folder_key(), document, digest))


async def _opened(core: Core, kept: KeptToken) -> Token | None:
    """Return a kept token; None where its row is not as the host wrote it."""
    if not same(kept.mac, mac_of_token(await core.secrets.folder_key(), kept.document, kept.digest)):
        return None
    try:
        token = msgspec.json.decode(kept.document, type=Token)
    except msgspec.ValidationError:
        return None
    used = None if kept.last_used_at is None else datetime.fromtimestamp(kept.last_used_at, UTC)
    return replace(token, last_used_at=used)


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise BadSetting(f"There is no scope '{text}'.{did_you_mean(text, list(Scope))}") from None


def document_of(token: Token) -> dict[str, Any]:
    """Return a token as a JSON document; times in UTC."""
    found: dict[str, Any] = msgspec.to_builtins(asdict(token))
    return found
