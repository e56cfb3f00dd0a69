"""The nouns of a connection in trouble: what fails, since when, what came just before, and what can be done."""

from collections.abc import Sequence

from msgspec import Struct

from connector_host.model.history import HistoryRecord


class Moment(Struct, frozen=True):
    """One moment on a time line (ISO 8601): a check, a run or a change, in words; `status` is a result's."""

    at: str
    words: str
    status: str = ""


class Trouble(Struct, frozen=True):
    """One cause of trouble, of one connection or of several that began to fail together in the same words.

    `words`, `status_code` and `assistance` are those of the last failed test; `since` is when the first of the failed
    tests in a row was made (ISO 8601, empty where no test failed). `secret_names` are the sealed parameters, `undo`
    says what undoing the last edit would take back, `former` what connections.former() would bring back where undo()
    cannot. `failed` are the runs that failed since then. `version` is the connection's, and `servers` where its secrets
    are sent, as the card was made.
    """

    connections: tuple[str, ...]
    plugin: str
    words: str
    status_code: str = ""
    assistance: str = ""
    since: str = ""
    moments: Sequence[Moment] = ()
    secret_names: tuple[str, ...] = ()
    undo: str = ""
    former: str = ""
    version: int = 0
    servers: tuple[str, ...] = ()
    failed: Sequence[HistoryRecord] = ()
