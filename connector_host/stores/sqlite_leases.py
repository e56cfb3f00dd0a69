"""Shared rate limits on SQLite: requests that each program takes ahead, in small batches."""

from connector_host.model.stored import Lease
from connector_host.ports.parts import Allowance
from connector_host.stores.database import Database
from connector_host.stores.statements import Statements

LIFE = 1 / 40  # of the limit's window, in which what was taken is sent; what is not is lost


class SqliteLeases:
    """What any program took within the window is not given again before it is over, sent or not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, allowance: Allowance, wanted: int, now: float) -> Lease:
        """Take at most so many requests of a limit; `now` is in Unix seconds."""
        life = allowance.seconds * LIFE
        key = allowance.key

        def work(db: Statements) -> Lease:
            db.change("forget_leases", key=key, before=now - allowance.seconds - life, after=now + allowance.seconds)
            used, oldest = db.row("leased", key=key)
            granted = min(wanted, max(0, allowance.requests - used))
            if granted:
                db.change("take_lease", key=key, at=now, count=granted)
                return Lease(granted, life)
            return Lease(0, max(0.01, oldest + allowance.seconds + life - now))

        return await self._database.write(work)
