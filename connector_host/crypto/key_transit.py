"""Master keys in the transit engine of OpenBao or HashiCorp Vault: they never leave it.

Its API: https://openbao.org/api-docs/secret/transit/
"""

import base64
import json
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from connector_host.model.connection import WrappedKey
from connector_host.model.errors import BadSetting, KeyMissing, KeyUnknown, SealBroken, SealError
from connector_host.model.invocation_errors import InvocationError
from connector_host.model.requests import check_origin
from connector_host.ports.parts import Surroundings
from connector_host.ports.sealing import Release

SECONDS = 10.0
_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND = 400, 403, 404
_PLACE = re.compile(r"(?P<base>.+)/(?P<mount>[^/]+)/keys/(?P<key>[^/]+)/?")


class KeyTransit:
    """The key provider `transit:URL/MOUNT/keys/NAME`, for example transit:https://bao.example:8200/transit/keys/soar.

    CONNECTOR_HOST_TRANSIT_TOKEN holds the token, or CONNECTOR_HOST_TRANSIT_TOKEN_FILE names the file that an agent
    keeps it in; CONNECTOR_HOST_TRANSIT_CA a PEM file to trust, CONNECTOR_HOST_TRANSIT_NAMESPACE a namespace.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        place = _PLACE.fullmatch(surroundings.key.partition(":")[2])
        if place is None:
            raise BadSetting("The key provider is written transit:URL/MOUNT/keys/NAME.")
        try:
            self._base = check_origin(place["base"])
        except InvocationError as error:
            raise BadSetting(f"The key provider's URL is invalid. {error}") from None
        self._mount, self._key = quote(place["mount"]), quote(place["key"])
        self._name = f"{place['mount']}/{place['key']}"

    async def current(self) -> str:
        """Name and version of the key that seals now; raises KeyMissing."""
        return self._id((await self._ask("GET", f"keys/{self._key}"))["latest_version"])

    async def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """Have it encrypted under the newest version."""
        body = {"plaintext": _text(data_key), "associated_data": _text(context)}
        sealed = str((await self._ask("POST", f"encrypt/{self._key}", body))["ciphertext"])
        return WrappedKey(self._id(sealed.split(":")[1].removeprefix("v")), sealed.encode())

    async def unwrap(self, key: WrappedKey, context: bytes) -> bytes:
        """Have it decrypted; raises KeyUnknown, SealBroken."""
        if not key.master_key_id.startswith(f"transit:{self._name}:"):
            raise KeyUnknown(
                f"They were sealed under the master key {key.master_key_id}, and the key provider is "
                f"transit:{self._name}. Nothing was changed."
            )
        body = {"ciphertext": key.wrapped.decode("ascii", "replace"), "associated_data": _text(context)}
        answer = await self._ask("POST", f"decrypt/{self._key}", body)
        return base64.b64decode(answer["plaintext"])

    async def create(self) -> None:
        """Make the key, unless it exists; it can be neither exported nor deleted."""
        await self._ask("POST", f"keys/{self._key}", {"type": "aes256-gcm96"})

    async def rotate(self) -> None:
        """Make a new version and keep the older ones."""
        await self._ask("POST", f"keys/{self._key}/rotate", {})

    async def retire(self, release: Release) -> None:
        """Let no version decrypt that is older than any which is needed."""
        facts = await self._ask("GET", f"keys/{self._key}")
        newest, oldest = int(facts["latest_version"]), int(facts.get("min_decryption_version") or 1)
        older = {self._id(version): version for version in range(oldest, newest)}
        gone = await release(older.keys())
        kept = [version for name, version in older.items() if name not in gone]
        await self._ask("POST", f"keys/{self._key}/config", {"min_decryption_version": min([*kept, newest])})

    def _id(self, version: Any) -> str:
        return f"transit:{self._name}:v{version}"

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"X-Vault-Token": _token(), "X-Vault-Request": "true"}
        if namespace := os.environ.get("CONNECTOR_HOST_TRANSIT_NAMESPACE"):
            headers["X-Vault-Namespace"] = namespace
        url = f"{self._base}/v1/{self._mount}/{path}"
        try:
            async with httpx2.AsyncClient(verify=_trust(self._base), timeout=SECONDS, trust_env=False) as client:
                response = await client.request(method, url, headers=headers, json=body)
                answer = response.json() if response.content else {}
        except (httpx2.HTTPError, OSError) as error:
            raise SealError(f"The key service {self._host} cannot be reached ({type(error).__name__}).") from None
        except json.JSONDecodeError:
            raise SealError(f"The key service {self._host} does not answer in JSON.") from None
        self._refuse(response.status_code, answer, path)
        return dict(answer.get("data") or {})

    @property
    def _host(self) -> str:
        return urlsplit(self._base).netloc

    def _refuse(self, status: int, answer: Mapping[str, Any], path: str) -> None:
        """Raise what a refusal means."""
        if status < _BAD_REQUEST:
            return
        said = "; ".join(map(str, answer.get("errors") or ())) or f"status {status}"
        if path.startswith("decrypt/") and status == _BAD_REQUEST:
            if "disallowed by policy" in said or "too old" in said:
                raise KeyUnknown(f"The master key transit:{self._name} does not open versions this old any more.")
            raise SealBroken("Its wrapped data key is damaged, or belongs to another connection.")
        if status == _NOT_FOUND or "encryption key not found" in said:
            raise KeyMissing(f"The key service {self._host} has no key '{self._name}'.")
        if status == _FORBIDDEN:
            raise SealError(
                f"The key service {self._host} refuses the token for '{self._name}': it expired, or its policy does "
                f"not allow this."
            )
        raise SealError(f"The key service {self._host} refuses: {said}.")


def _token() -> str:
    file = os.environ.get("CONNECTOR_HOST_TRANSIT_TOKEN_FILE")
    try:
        token = Path(file).read_text("utf-8").strip() if file else os.environ.get("CONNECTOR_HOST_TRANSIT_TOKEN", "")
    except OSError as error:
        raise SealError(f"The key service's token cannot be read from {file} ({error.strerror}).") from error
    if not token:
        raise SealError("The key service needs a token: set CONNECTOR_HOST_TRANSIT_TOKEN, or …_TOKEN_FILE.")
    return token


def _trust(base: str) -> ssl.SSLContext | bool:
    if base.startswith("http:"):
        return False  # loopback only, see check_origin()
    return ssl.create_default_context(cafile=os.environ.get("CONNECTOR_HOST_TRANSIT_CA") or None)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
