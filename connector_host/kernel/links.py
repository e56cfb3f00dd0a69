"""Plugins linked from folders outside: an author's own, on this data folder alone."""

import json
from pathlib import Path

from connector_host.contract.errors import BadSetting


class Links:
    """The linked folders, kept in the data folder."""

    def __init__(self, home: Path) -> None:
        self._file = home / "linked-plugins.json"

    def folders(self) -> list[Path]:
        """Return the linked folders, oldest first; raises BadSetting where the list can not be read."""
        try:
            return [Path(folder) for folder in json.loads(self._file.read_text("utf-8"))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise BadSetting(f"The list of linked plugins {self._file} can not be read: {error}.") from error

    def add(self, folder: Path) -> None:
        """Link a folder."""
        self._keep([*(one for one in self.folders() if one != folder), folder])

    def remove(self, folder: Path) -> None:
        """Unlink a folder; raises BadSetting where it is not linked."""
        if folder not in self.folders():
            raise BadSetting(f"{folder} is not linked.")
        self._keep([one for one in self.folders() if one != folder])

    def _keep(self, folders: list[Path]) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps([str(folder) for folder in folders]), "utf-8")
        fresh.replace(self._file)
