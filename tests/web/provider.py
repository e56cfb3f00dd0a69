"""A provider of OpenID Connect: keys, codes that are good once, PKCE held, and what it can be told to do wrong."""

import base64
import hashlib
import time
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT = "connector-host"


class Provider:
    """`claims` are laid over what it says of somebody; `wrong` names what it does wrong."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.other = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.issuer = ""
        self.claims: dict[str, Any] = {}
        self.wrong = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.exchanged: list[str] = []

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._said),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _said(self, _request: Request) -> Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse({"issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in names.items()}})

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        """Sign anybody in at once."""
        asked = dict(request.query_params)
        assert asked["code_challenge_method"] == "S256"
        assert asked["response_type"] == "code"
        code = hashlib.sha256(asked["state"].encode()).hexdigest()[:24]
        self.codes[code] = asked
        back = {
            "code": code,
            "state": asked["state"],
            "iss": "https://evil.example.com" if self.wrong == "iss" else self.issuer,
        }
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}")

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        asked = self.codes.get(str(form["code"]))
        verifier = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if asked is None or asked["code_challenge"] != challenge or str(form["code"]) in self.exchanged:
            return JSONResponse({"error": "invalid_grant"}, 400)
        self.exchanged.append(str(form["code"]))
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT, "sub": "u1", "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        said |= {"preferred_username": "ann", "groups": ["soc"], **self.claims}
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": self._signed(said)})

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.wrong == "none":
            head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
            return f"{head}.{jwt.encode({'alg': 'RS256'}, claims, self.key).split('.')[1]}."
        if self.wrong == "hs256":  # signed with what everybody knows
            public = OctKey.import_key(self.key.as_pem(private=False))
            return jwt.encode({"alg": "HS256", "kid": "one"}, claims, public, algorithms=["HS256"])
        if self.wrong == "another key":
            return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.other)
        if self.wrong == "another kind of key":
            return jwt.encode({"alg": "ES256", "kid": "one"}, claims, ECKey.generate_key("P-256"))
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
