"""Remembers what was read and checked: files that have not changed since need no YAML and no second check."""

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

FORMAT = 6
Stamp = str | None


class ManifestCache:
    """JSON files in a folder, each with the stamps (time and size) of the files it was made of.

    It is a convenience: what cannot be read or written is read anew. It writes only where the data folder is there
    already, so that looking at a host makes none. Within one process it remembers without files too.
    """

    _here: ClassVar[dict[tuple[str, str], dict[str, Any]]] = {}

    def __init__(self, home: Path, schemas: Path) -> None:
        self._home = home
        self._folder = home / "cache"
        self._made_by = [FORMAT, _stamp(schemas / "plugin-manifest.schema.json")]
        self._maker = json.dumps(self._made_by)

    def recall(self, name: str) -> Any:
        """Return what was kept under a name, or None where there is nothing, or a file changed since."""
        known = self._here.get(self._place(name))
        if known is not None and self._fresh(known):
            return known["value"]
        try:
            kept = json.loads(self._file(name).read_bytes())
            if self._fresh(kept):
                self._here[self._place(name)] = kept
                return kept["value"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None

    def _fresh(self, kept: dict[str, Any]) -> bool:
        return kept["made_by"] == self._made_by and all(_stamp(Path(file)) == stamp for file, stamp in kept["files"])

    def _place(self, name: str) -> tuple[str, str]:
        return self._maker, name

    def keep(self, name: str, files: Iterable[Path], value: Any) -> None:
        """Keep a value made of these files."""
        stamps = [(str(file), _stamp(file)) for file in files]
        kept = {"made_by": self._made_by, "files": stamps, "value": value}
        self._here[self._place(name)] = kept
        text = json.dumps(kept)
        fresh = self._file(name).with_suffix(f".{os.getpid()}.new")
        with suppress(OSError):  # a folder of somebody else's, or a file: what is not kept is made again
            if self._home.is_dir():
                self._folder.mkdir(mode=0o700, exist_ok=True)
                fresh.write_text(text, "utf-8")
                fresh.replace(self._file(name))

    def _file(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"


def _stamp(file: Path) -> Stamp:
    """Return a digest of a file, or of the names in a folder.

    Times and sizes are those of another where files are copied with their times.
    """
    try:
        if file.is_dir():
            names = sorted(os.listdir(file))  # noqa: PTH208 - names alone
            return hashlib.sha256(json.dumps(names).encode()).hexdigest()
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return None
