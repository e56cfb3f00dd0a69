"""Back-ups of the database as folders: written while it is in use and looked over, put back while nobody uses it."""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from connector_host.model.errors import StoreError
from connector_host.stores.faults import told
from connector_host.stores.migrating import MIGRATIONS, schema_of
from connector_host.stores.presence import Presence

DATABASE, KEY, FACTS = "connector-host.db", "master.key", "backup.json"
_BESIDE = ("-wal", "-shm", ".audit-end", ".audit-end.lost")


def new_folder(folder: Path) -> None:
    """Make the folder of a back-up, for its owner alone; raises StoreError where something is in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if any(folder.iterdir()):
            raise StoreError(f"The folder {folder} is not empty: give each back-up a folder of its own.")
    except OSError as error:
        raise StoreError(f"The folder {folder} cannot be used ({error.strerror}).") from error


def look_over(folder: Path) -> None:
    """Read a back-up's database from the first page to the last; raises StoreError where it is not whole."""
    found = _faults_of(folder / DATABASE)
    if found:
        raise StoreError(f"The back-up in {folder} is not whole: {found[0]}.")


def note_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what a back-up is, beside it."""
    _privately(folder / FACTS, json.dumps(facts, indent=2) + "\n")


def copy_key(key: Path, folder: Path) -> None:
    """Put the master key into a back-up; raises StoreError."""
    try:
        _privately(folder / KEY, key.read_text("ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"The master key {key} cannot be copied ({error}).") from error


def restore(database: Path, key: Path | None, folder: Path) -> list[str]:
    """Put a back-up in the place of a database that nobody uses; return sentences on what was done.

    What stood there is kept beside it. The logs of the old database, which SQLite would lay over the restored one, go
    away with it. A key that is part of the back-up takes the place of `key`. Raises StoreError, and then nothing was
    changed.
    """
    source = folder / DATABASE if folder.is_dir() else folder
    if not source.is_file():
        raise StoreError(f"There is no back-up in {folder}: it would hold {DATABASE}.")
    found = _faults_of(source)
    if found:
        raise StoreError(f"The back-up in {folder} is not whole: {found[0]}. Nothing was changed.")
    refuse_users(database)
    done: list[str] = []
    with told(database, "cannot be restored"):
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = database.with_name(f"{database.name}.restoring")
        shutil.copyfile(source, fresh)
        fresh.chmod(0o600)
        done += _set_aside(database)
        fresh.replace(database)
        done.append(f"Restored {database} from {source}.")
        if key is not None and (folder / KEY).is_file():
            done += _restore_key(folder / KEY, key)
        elif key is not None:
            done.append(f"The back-up holds no master key: its secrets open only with the {key.name} of its time.")
    return done


def settle(database: Path) -> None:
    """Take a database as it stands, though an end of its audit was noted that it does not have."""
    refuse_users(database)
    for ending in (".audit-end", ".audit-end.lost"):
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)


def refuse_users(database: Path) -> None:
    """Raise StoreError where a program uses the database."""
    folder = database.with_name(f"{database.name}.processes")
    presence = Presence(folder)
    programs = [file.name for file in folder.glob("*") if file.is_file()] if folder.is_dir() else []
    alive = sum(presence.is_alive(one) for one in programs)
    if alive or not _has_to_itself(database):
        count = f" ({alive})" if alive else ""
        raise StoreError(f"Programs use the database {database}{count}: stop them first. Nothing was changed.")


def _has_to_itself(database: Path) -> bool:
    """Whether no other program has it open: only then SQLite leaves the mode with a log, which a store enters again.

    A program that has done nothing yet that could change a product keeps no journal, and is seen by this alone.
    """
    if not database.exists():
        return True
    try:
        with closing(sqlite3.connect(database, timeout=0.2)) as raw:
            return str(raw.execute("pragma journal_mode=delete").fetchone()[0]) != "wal"
    except sqlite3.OperationalError as error:
        return "locked" not in str(error)
    except sqlite3.DatabaseError:
        return True  # what is damaged nobody uses


def _faults_of(file: Path) -> list[str]:
    """Return what is wrong with a database file, that is only read."""
    newest = int(max(MIGRATIONS.glob("*.sql")).name[:4])
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as raw:
            found = [str(row[0]) for row in raw.execute("pragma integrity_check(5)") if row[0] != "ok"]
            schema = schema_of(raw)
    except sqlite3.Error as error:
        return [str(error)]
    if not found and not 0 < schema <= newest:
        found.append(f"its schema is {schema}, and this program knows 1 to {newest}")
    return found


def _set_aside(database: Path) -> list[str]:
    """Move a database and what belongs to it away; return a sentence where there was one."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    kept = database.with_name(f"{database.name}.before-restore-{stamp}")
    log = database.with_name(f"{database.name}-wal")
    if log.exists():  # of a damaged one: what is sound has its log written in when it is seen that nobody uses it
        log.replace(kept.with_name(f"{kept.name}-wal"))
    if database.exists():
        database.replace(kept)
    for ending in _BESIDE:
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)
    journals = database.with_name(f"{database.name}.processes")
    if journals.is_dir():
        journals.replace(kept.with_name(f"{kept.name}.processes"))
    return [f"What stood there is kept as {kept}."] if kept.exists() else []


def _restore_key(source: Path, key: Path) -> list[str]:
    text = source.read_text("ascii")
    if key.exists() and key.read_text("ascii") == text:
        return []
    if key.exists():
        kept = key.with_name(f"{key.name}.before-restore-{time.strftime('%Y%m%d-%H%M%S')}")
        key.replace(kept)
        _privately(key, text)
        return [f"The master key is the back-up's; the one that stood there is kept as {kept}."]
    _privately(key, text)
    return [f"The master key {key} is the back-up's."]


def _privately(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
