"""Remembers what was read and checked: files that have not changed since need no YAML and no second check."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FORMAT = 3
Stamp = list[int] | None


class Memory:
    """JSON files in a folder, each with the stamps (time and size) of the files it was made of.

    It is a convenience: what can not be read or written is read anew. It writes only where the data folder is there
    already, so that looking at a host makes none.
    """

    def __init__(self, home: Path, schemas: Path) -> None:
        self._home = home
        self._folder = home / "cache"
        self._made_by = [FORMAT, _stamp(schemas / "plugin-manifest.schema.json")]

    def recall(self, name: str) -> Any:
        """Return what was kept under a name, or None where there is nothing, or a file changed since."""
        try:
            kept = json.loads(self._file(name).read_bytes())
            if kept["made_by"] == self._made_by and all(_stamp(Path(file)) == stamp for file, stamp in kept["files"]):
                return kept["value"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None

    def keep(self, name: str, files: Iterable[Path], value: Any) -> None:
        """Keep a value made of these files."""
        if not self._home.is_dir():
            return
        stamps = [(str(file), _stamp(file)) for file in files]
        text = json.dumps({"made_by": self._made_by, "files": stamps, "value": value})
        fresh = self._file(name).with_suffix(f".{os.getpid()}.new")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            fresh.write_text(text, "utf-8")
            fresh.replace(self._file(name))
        except OSError:
            fresh.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"


def _stamp(file: Path) -> Stamp:
    try:
        facts = file.stat()
    except OSError:
        return None
    return [facts.st_mtime_ns, facts.st_size]
