"""Notices about connections: one to each recipient, one when an outage begins and one when it is over."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from msgspec.structs import replace

from connector_host.model.boundary import authors_code
from connector_host.model.connection import Connection, ConnectionHealth, Delivery
from connector_host.model.errors import NoticeUndelivered
from connector_host.model.result import iso
from connector_host.ports.parts import Notice, Notifier

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=12)
log = logging.getLogger("connector_host")


class Notices:
    """What the recipients of a connection's health checks are told; `undelivered` counts what could not be."""

    def __init__(self, notifiers: Sequence[Notifier], page: str = "") -> None:
        self._notifiers = notifiers
        self._page = page
        self.undelivered = 0

    async def told(
        self, connection: Connection, health: ConnectionHealth, words: str, now: datetime
    ) -> ConnectionHealth:
        """Tell those who are to be told now, and return the health with what became of it.

        Who cannot be reached is tried again with a later check, after pauses that grow, and harms no other.
        """
        check = connection.health_check
        recipients = check.recipients if check else ()
        fails = check is not None and health.failures >= check.failures_before_mail
        deliveries: dict[str, Delivery] = {}
        for address in recipients:
            one = health.deliveries.get(address, Delivery(told=health.mailed and not health.deliveries))
            anew = check is not None and health.failures == check.failures_before_mail  # a test by hand passed between
            if fails and (anew or not one.told):
                deliveries[address] = await self._sent(
                    failing(connection, health, words, address, self._page), one, now, told=True
                )
            elif health.failures == 0 and one.told:
                deliveries[address] = await self._sent(recovered(connection, health, address), one, now, told=False)
            elif health.failures:
                deliveries[address] = one
        kept = {address: one for address, one in deliveries.items() if one != Delivery()}
        return replace(health, mailed=any(one.told for one in kept.values()), deliveries=kept)

    async def _sent(self, notice: Notice, before: Delivery, now: datetime, *, told: bool) -> Delivery:
        """Send one notice where its pause is over; return what became of it."""
        if before.next_try is not None and now < before.next_try:
            self.undelivered += 1
            return before
        error = await self._error(notice)
        if not error:
            return Delivery(told=told)
        self.undelivered += 1
        pause = min(FIRST_PAUSE * 2**before.tries, LONGEST_PAUSE)
        return Delivery(before.told, before.tries + 1, now + pause, error)

    async def _error(self, notice: Notice) -> str:
        """Deliver through every notifier; return why none could, empty where one did."""
        if not self._notifiers:
            log.warning("Nobody was told that %s: the host manifest names no notifier.", notice.subject)
            return "The host manifest names no notifier."
        errors = [error for notifier in self._notifiers if (error := await _handed_to(notifier, notice))]
        return " ".join(errors) if len(errors) == len(self._notifiers) else ""

    async def tried(self, recipient: str) -> Mapping[str, str]:
        """Send a message of no concern by every notifier; return why it failed, by the notifier's class."""
        words = "This message is a trial: somebody asked for it, and nothing is wrong."
        notice = Notice("trial", "", (recipient,), "A trial message of Connector Host", words)
        return {type(notifier).__name__: await _handed_to(notifier, notice) for notifier in self._notifiers}


async def _handed_to(notifier: Notifier, notice: Notice) -> str:
    """Hand a notice to one notifier; return why it could not be delivered, empty where it was."""
    try:
        with authors_code(_failed):
            await notifier.notify(notice)
    except NoticeUndelivered as error:
        log.warning("%s: %s", notice.subject, error, exc_info=error.__cause__)
        return str(error)
    return ""


def _failed(error: BaseException) -> NoticeUndelivered:
    return NoticeUndelivered(f"The notifier failed ({type(error).__name__}).")


def failing(connection: Connection, health: ConnectionHealth, words: str, recipient: str, page: str = "") -> Notice:
    """Return the notice that a connection failed several checks in a row; `words` are the error tab's.

    `page` is the address of the page, where there is one.
    """
    mend = f"Mend it:            {page}/connections?q={quote(connection.name)}\n" if page else ""
    since = f"since {iso(health.last_success)}" if health.last_success else "so far"
    return Notice(
        event="connection.failing",
        connection=connection.name,
        recipients=(recipient,),
        subject=f"Connection '{connection.name}' fails ({_in_a_row(health.failures)})",
        text=(
            f"The health check of the connection '{connection.name}' ({connection.plugin}) failed: "
            f"{_in_a_row(health.failures)}; no check passed {since}.\n\n{words}\n\n"
            f"{mend}See what happened:  connector-host health history {connection.name}\n"
            f"Try it again:       connector-host connections test {connection.name}\n\n"
            f"You get one more message when it works again."
        ),
    )


def _in_a_row(failures: int) -> str:
    return "1 health check" if failures == 1 else f"{failures} health checks in a row"


def recovered(connection: Connection, health: ConnectionHealth, recipient: str) -> Notice:
    """Return the notice that a connection works again."""
    return Notice(
        event="connection.recovered",
        connection=connection.name,
        recipients=(recipient,),
        subject=f"Connection '{connection.name}' works again",
        text=(
            f"The health check of the connection '{connection.name}' ({connection.plugin}) passed at "
            f"{iso(health.last_success) if health.last_success else 'last'}."
        ),
    )


def undelivered(deliveries: Mapping[str, Delivery]) -> dict[str, str]:
    """Return why notices did not reach people, by their addresses."""
    return {address: one.error for address, one in deliveries.items() if one.error}
