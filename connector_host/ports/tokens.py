"""The ports of tokens and sign-ins; of what their holders show only digests are kept."""

from collections.abc import Sequence
from typing import Protocol

from connector_host.model.audit import AuditEntry
from connector_host.model.stored import KeptToken, SignIn


class TokenStore(Protocol):
    """Tokens by their ids."""

    async def add(self, kept: KeptToken, entry: AuditEntry) -> None:
        """Keep a new one."""

    async def list(self) -> Sequence[KeptToken]:
        """All, by their ids."""

    async def get(self, token_id: str) -> KeptToken | None:
        """One by its id; each request asks, so it must not take longer where there are many."""

    async def remove(self, token_id: str, now: float, entry: AuditEntry) -> bool:
        """Forget one, and sign out whoever signed in by it; whether it was there."""

    async def used(self, token_id: str, at: float) -> None:
        """Note when it was last used."""


class SignInStore(Protocol):
    """Sessions, and links that work once, by the digest of what their holder shows."""

    async def add(self, digest: bytes, sign_in: SignIn, now: float) -> None:
        """Keep one; those that have run out by `now` are forgotten."""

    async def get(self, digest: bytes, kind: str) -> SignIn | None:
        """One of this kind; None where there is none."""

    async def remove(self, digest: bytes) -> bool:
        """Forget one; whether it was there: of two who use up a link, one gets True."""


class PreferenceStore(Protocol):
    """What people prefer, as JSON text, by who they are."""

    async def get(self, person: str) -> str | None:
        """Return somebody's; None where they said nothing."""

    async def put(self, person: str, document: str | None) -> None:
        """Keep somebody's, or forget it."""
