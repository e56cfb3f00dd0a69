"""Tokens, and who is signed in, on SQLite."""

from collections.abc import Sequence

from connector_host.model.audit import AuditEntry
from connector_host.model.stored import KeptToken, SignIn
from connector_host.stores.audit_rows import append
from connector_host.stores.database import Database
from connector_host.stores.statements import Statements


class SqliteTokens:
    """Tokens by their ids; of each only the digest is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, kept: KeptToken, entry: AuditEntry) -> None:
        """Keep a new one."""

        def work(db: Statements) -> None:
            db.change("add_token", id=kept.id, document=kept.document, digest=kept.digest, mac=kept.mac)
            append(db, entry)

        await self._database.write(work)

    async def list(self) -> Sequence[KeptToken]:
        """Return all, by their ids."""
        with self._database.reading() as db:
            return [KeptToken(*row) for row in db.rows("tokens")]

    async def get(self, token_id: str) -> KeptToken | None:
        """Return one by its id."""
        with self._database.reading() as db:
            row = db.row("token_by_id", id=token_id)
        return None if row is None else KeptToken(*row)

    async def remove(self, token_id: str, now: float, entry: AuditEntry) -> bool:
        """Forget one, and sign out whoever signed in by it."""

        def work(db: Statements) -> bool:
            db.change("remove_sign_ins_of", token_id=token_id, now=now)
            if not db.change("remove_token", id=token_id):
                return False
            append(db, entry)
            return True

        return await self._database.write(work)

    async def used(self, token_id: str, at: float) -> None:
        """Note when it was last used."""
        await self._database.write(lambda db: db.change("token_used", id=token_id, at=at))


class SqliteSignIns:
    """Sessions and links that work once, by the digest of what their holder shows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, digest: bytes, sign_in: SignIn, now: float) -> None:
        """Keep one; those that have run out are forgotten."""

        def work(db: Statements) -> None:
            db.change("remove_sign_ins_of", token_id="", now=now)
            values = {"kind": sign_in.kind, "token_id": sign_in.token_id, "expires_at": sign_in.expires_at}
            db.change("add_sign_in", digest=digest, **values)

        await self._database.write(work)

    async def get(self, digest: bytes, kind: str) -> SignIn | None:
        """Return one; None where there is none."""
        with self._database.reading() as db:
            row = db.row("sign_in", digest=digest, kind=kind)
            return SignIn(kind, *row) if row else None

    async def remove(self, digest: bytes) -> bool:
        """Forget one; whether it was there: of two who use up a link, one gets True."""
        return bool(await self._database.write(lambda db: db.change("remove_sign_in", digest=digest)))


class SqlitePreferences:
    """What people prefer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, person: str) -> str | None:
        """Return somebody's."""
        with self._database.reading() as db:
            row = db.row("preference", person=person)
            return row[0] if row else None

    async def put(self, person: str, document: str | None) -> None:
        """Keep somebody's, or forget it."""
        if document is None:
            await self._database.write(lambda db: db.change("forget_preference", person=person))
        else:
            await self._database.write(lambda db: db.change("put_preference", person=person, document=document))
