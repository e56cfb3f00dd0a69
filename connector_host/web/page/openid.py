"""Signing in by an organisation's own provider: OpenID Connect, authorization code with PKCE.

OpenID Connect Core 1.0; RFC 7636 (PKCE), RFC 9207 (`iss` of the answer), RFC 9700 (what must be held). What a provider
says of somebody counts only as its signed ID token says it.
"""

import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx2
import msgspec
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct, field

from connector_host.model.errors import BadSetting, NotAllowed
from connector_host.model.guarded import Guarded
from connector_host.model.token import Scope, Token

BACK = "/sign-in/openid/back"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")  # signed by a key pair
WAITING_SECONDS, WAITING = 600.0, 1000  # for a browser to come back; and how many may be on their way
CLOCKS = 60  # seconds by which the provider's clock and ours may differ
TIMEOUT = 10.0  # seconds for each answer of the provider
_LOCAL = ("127.0.0.1", "localhost", "::1")
_LONGEST = 200  # characters of a name


class OpenIdSettings(Guarded, frozen=True, forbid_unknown_fields=True):
    """The host manifest's `oidc` section.

    `client_secret` is env:VARIABLE or file:PATH. `user`, `groups`, `site` and `tenant` name the claims that hold them;
    `grants` the scopes of each group, `*` of everybody who is let in by the provider.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"client_secret"})

    issuer: str
    client_id: str
    grants: Mapping[str, tuple[Scope, ...]]
    client_secret: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    user: str = "preferred_username"
    groups: str = "groups"
    site: str = ""
    tenant: str = ""


class _OnTheWay(Struct, frozen=True):
    """A browser that was sent to the provider: what it must come back with."""

    browser: str
    nonce: str
    verifier: str
    until: float = field(default_factory=lambda: time.monotonic() + WAITING_SECONDS)


class OpenId:
    """One provider. `back` is the address at which browsers come back."""

    def __init__(self, given: Mapping[str, Any], back: str) -> None:
        try:
            self.settings = msgspec.convert(given, OpenIdSettings)
        except msgspec.ValidationError as error:
            raise BadSetting(f"oidc: {error}.") from None
        self._back = back
        self._secret = _secret(self.settings.client_secret)
        self._on_the_way: dict[str, _OnTheWay] = {}
        self._known: tuple[Mapping[str, Any], KeySet] | None = None
        _check_address(self.settings.issuer, "The issuer")

    @property
    def name(self) -> str:
        """The provider's host, for people."""
        return urlsplit(self.settings.issuer).hostname or ""

    async def leave(self, browser: str) -> str:
        """Return the address to send a browser to; `browser` is what it alone holds."""
        now = time.monotonic()
        self._on_the_way = {state: one for state, one in self._on_the_way.items() if one.until > now}
        while len(self._on_the_way) >= WAITING:  # the oldest gives way
            del self._on_the_way[next(iter(self._on_the_way))]
        metadata, _ = await self._provider()
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        one = self._on_the_way[state] = _OnTheWay(browser, secrets.token_urlsafe(24), verifier)
        async with self._client() as client:
            address, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=state, nonce=one.nonce, code_verifier=verifier
            )
        return str(address)

    async def came_back(self, browser: str, asked: Mapping[str, str]) -> Token:
        """Return a token for whoever came back, not stored yet; raises NotAllowed where something is not right."""
        one = self._on_the_way.pop(asked.get("state", ""), None)
        if one is None or one.until < time.monotonic() or not secrets.compare_digest(one.browser, browser):
            raise NotAllowed("This sign-in was not begun here, or took too long: begin anew.")
        if asked.get("iss", self.settings.issuer) != self.settings.issuer:
            raise NotAllowed("The answer is another provider's.")
        if "code" not in asked:
            raise NotAllowed(f"The provider did not sign you in ({asked.get('error', 'no code')[:60]}).")
        return self._token_for(await self._claims(asked["code"], one))

    async def _claims(self, code: str, one: _OnTheWay) -> Mapping[str, Any]:
        metadata, _ = await self._provider()
        try:
            async with self._client() as client:
                answer = await client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=one.verifier)
        except (AuthlibBaseError, httpx2.HTTPError, ValueError) as error:
            raise NotAllowed(f"The provider did not confirm the sign-in ({type(error).__name__}).") from error
        return await self._checked(str(answer.get("id_token", "")), one.nonce)

    async def _checked(self, id_token: str, nonce: str) -> Mapping[str, Any]:
        """Return what an ID token says, once it is signed by the provider, for us, for this sign-in, and now."""
        for fresh in (False, True):  # its keys may have changed
            _, keys = await self._provider(fresh=fresh)
            try:
                claims: dict[str, Any] = jwt.decode(id_token, keys, algorithms=list(ALGORITHMS)).claims
                break
            except (JoseError, ValueError) as error:
                reason = type(error).__name__
        else:
            raise NotAllowed(f"The provider's answer is not signed as it must be ({reason}).")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        now = time.time()
        held = (
            claims.get("iss") == self.settings.issuer,
            self.settings.client_id in audiences,
            len(audiences) == 1 or claims.get("azp") == self.settings.client_id,
            claims.get("nonce") == nonce,
            _number(claims.get("exp")) > now - CLOCKS,
            _number(claims.get("iat")) < now + CLOCKS,
            isinstance(claims.get("sub"), str) and bool(claims["sub"]),
        )
        if not all(held):
            raise NotAllowed("The provider's answer is not for this sign-in.")
        return claims

    def _token_for(self, claims: Mapping[str, Any]) -> Token:
        wanted = self.settings
        user = _name(claims, wanted.user)
        if not user:
            raise NotAllowed(f"The provider does not say who you are: the claim '{wanted.user}' is missing.")
        told = claims.get(wanted.groups)
        groups = (
            tuple(one for one in told if isinstance(one, str) and one.isprintable()) if isinstance(told, list) else ()
        )
        scopes = [scope for group in ("*", *groups) for scope in wanted.grants.get(group, ())]
        if not scopes:
            raise NotAllowed(f"You are known as {user}, but nothing is granted to you here: ask who runs the host.")
        site, tenant = _name(claims, wanted.site) or None, _name(claims, wanted.tenant) or None
        return Token(
            f"{user} by {self.name}", tuple(dict.fromkeys(scopes)), user=user, groups=groups, site=site, tenant=tenant
        )

    async def _provider(self, *, fresh: bool = False) -> tuple[Mapping[str, Any], KeySet]:
        """Return what the provider says of itself, and its keys; raises BadSetting where it cannot be asked."""
        if self._known is None or fresh:
            place = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                async with httpx2.AsyncClient(timeout=TIMEOUT) as client:
                    metadata = (await client.get(place)).raise_for_status().json()
                    if metadata.get("issuer") != self.settings.issuer:
                        raise BadSetting(f"oidc: the provider calls itself {metadata.get('issuer')!r:.200}.")
                    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                        _check_address(str(metadata.get(name, "")), f"The provider's {name}")
                    keys = (await client.get(metadata["jwks_uri"])).raise_for_status().json()
                    self._known = metadata, KeySet.import_key_set(keys)
            except (httpx2.HTTPError, ValueError, JoseError, AttributeError) as error:
                raise BadSetting(f"oidc: the provider at {place} cannot be asked ({type(error).__name__}).") from error
        return self._known

    def _client(self) -> Any:
        method = "client_secret_basic" if self._secret else "none"
        return AsyncOAuth2Client(
            self.settings.client_id,
            self._secret or None,
            token_endpoint_auth_method=method,
            scope=" ".join(self.settings.scopes),
            redirect_uri=self._back,
            code_challenge_method="S256",
            timeout=TIMEOUT,
        )


def _secret(source: str) -> str:
    """Return the client's secret from where it stands; raises BadSetting."""
    kind, _, place = source.partition(":")
    if kind == "env" and place in os.environ:
        return os.environ[place]
    if kind == "file":
        try:
            return Path(place).expanduser().read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadSetting(f"oidc: the client secret's file cannot be read: {error}.") from error
    if source:
        raise BadSetting("oidc: give the client secret as env:VARIABLE (which is set) or file:PATH, not itself.")
    return ""


def _name(claims: Mapping[str, Any], claim: str) -> str:
    value = claims.get(claim) if claim else None
    return value if isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _check_address(address: str, what: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise BadSetting(f"oidc: {what} must be an https address, not {address!r:.200}.")
