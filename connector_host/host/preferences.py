"""How each person wants times written: a format and a zone of their own, the host's where they said nothing."""

import json
import re
from datetime import datetime

import msgspec

from connector_host.host.core import Core
from connector_host.host.settings import DateTimeSetting
from connector_host.model.caller import Operator, Principal, actor_of
from connector_host.model.errors import BadSetting, NotAllowed

LONGEST = 60  # characters of a format
_TRIED = datetime(2026, 11, 26, 13, 5, 9)  # noqa: DTZ001 - as a person writes it


class Preferences:
    """What the caller prefers."""

    def __init__(self, core: Core, caller: Principal) -> None:
        self._core = core
        self._caller = caller

    async def get(self) -> DateTimeSetting:
        """Return how the caller wants times written."""
        kept = await self._core.store.preferences.get(self._person())
        return self._core.settings.date_time if kept is None else msgspec.json.decode(kept, type=DateTimeSetting)

    async def put(self, wanted: DateTimeSetting | None) -> None:
        """Keep how the caller wants times written; None is as the host does. Raises NotAllowed, BadSetting."""
        if not self._caller and not isinstance(self._caller, Operator):
            raise NotAllowed("A caller with nothing in it may do nothing.")
        if wanted is not None:
            _check(wanted)
        document = None if wanted is None else msgspec.json.encode(wanted).decode()
        await self._core.store.preferences.put(self._person(), document)

    def _person(self) -> str:
        actor = actor_of(self._caller)
        return json.dumps([actor.kind, actor.id, actor.site, actor.tenant])


def _check(wanted: DateTimeSetting) -> None:
    wanted.zone()
    try:
        written = _TRIED.strftime(wanted.format) if len(wanted.format) <= LONGEST else ""
        read = datetime.strptime(written, wanted.format)  # noqa: DTZ007 - the same
    except (ValueError, re.error):
        read = None
    if read is None or (read.date(), read.hour, read.minute) != (_TRIED.date(), _TRIED.hour, _TRIED.minute):
        raise BadSetting(
            f"A time that is written as '{wanted.format[:LONGEST]}' cannot be read again: it needs the year, month, "
            "day, hour and minute, as %Y-%m-%d %H:%M."
        )
