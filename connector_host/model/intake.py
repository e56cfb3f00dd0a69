"""The nouns of intake: records taken in, the tables that map them, and the schedules by which they are fetched."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct, field, to_builtins

from connector_host.model.guarded import Guarded
from connector_host.model.manifest import EventSource, FieldMapping, Intake


class IntakeRecord(Struct, frozen=True):
    """One record taken in: its unique key, its raw text, what the field mapping made of it, and whose site it is."""

    unique_key: str
    raw: str
    mapped: str
    site: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the record as a JSON document, its texts parsed: `mapped` holds the `incident` and the `event`."""
        return {**to_builtins(self), "raw": json.loads(self.raw), "mapped": json.loads(self.mapped)}


class Arrival(Struct, frozen=True):
    """A record taken in, as the feed has it: its number in the order of arrival, through what it came, and when.

    A record that changed arrives again. `connection_id` and `command` say whence it came, `at` (ISO 8601) is empty for
    what was taken in by a release before 1.1.
    """

    number: int
    connection_id: str
    command: str
    at: str
    record: IntakeRecord
    connection: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as a JSON document: the record's, and whence it came."""
        return {**self.record.document(), "connection": self.connection, "command": self.command, "arrived_at": self.at}


class FeedPage(Struct, frozen=True):
    """Some records in order of arrival, and the cursor after which the next are read."""

    arrivals: Sequence[Arrival]
    next: str


class MappingTables(Struct, frozen=True):
    """An intake's field mapping: the incident table, and the event table of each source, lowest priority first.

    `own` says that they are the connection's, not its manifest's; `version` counts the changes, also those that put
    the manifest's back.
    """

    incident_fields: tuple[FieldMapping, ...]
    event_sources: tuple[EventSource, ...]
    version: int = 0
    own: bool = False

    def laid_over(self, intake: Intake) -> Intake:
        """Return an intake that maps by these tables."""
        return Intake(
            intake.incident_path,
            intake.event_path,
            self.incident_fields,
            self.event_sources,
            intake.unique_key,
            intake.cursor,
        )


def tables_in(intake: Intake) -> MappingTables:
    """Return a manifest's own tables."""
    return MappingTables(intake.incident_fields, intake.event_sources)


class MappedRow(Struct, frozen=True):
    """What a row of a table found: in how many of the samples a value, and the value in the first of them."""

    field: str
    found: int
    value: Any = None


class MappingPreview(Struct, frozen=True):
    """What tables make of samples: how many there were, what each row found, and the first of them, mapped.

    `events` names the rows by their source. A sample that is an event alone, because it comes from what was taken in,
    tells nothing of the incident table where a record holds several: then `incident` is empty.
    """

    samples: int
    incident: tuple[MappedRow, ...]
    events: Mapping[str, tuple[MappedRow, ...]]
    sample: Any = None


class IntakeSchedule(Guarded, frozen=True):
    """When an intake command runs by itself, through which connection, and with what.

    `begin` is from when its first run reads (a day back where nothing is said), `overlap_minutes` how much each run
    reads again (the manifest's where nothing is said).
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"inputs"})

    connection: str
    command: str
    interval_minutes: int = 5
    inputs: Mapping[str, Any] = field(default_factory=dict)
    begin: datetime | None = None
    overlap_minutes: int | None = None


class ScheduleState(Struct, frozen=True):
    """How a schedule fares: its last run (time in UTC, a result's status, why it did not pass), and what that took in.

    `counts` are those of the run's raw data: fetched, new, updated, known.
    """

    last_run: datetime | None = None
    status: str | None = None
    words: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


class KeptSchedule(Struct, frozen=True):
    """A schedule as a store keeps it, with how it fares."""

    connection_id: str
    schedule: IntakeSchedule
    state: ScheduleState = ScheduleState()

    def document(self) -> dict[str, Any]:
        """Return it as a JSON document; times in UTC."""
        found: dict[str, Any] = {**to_builtins(self.schedule), **to_builtins(self.state)}
        return found
