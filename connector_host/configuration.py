"""Where a host finds its things: data folder, database, keys, manifest, time."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct, field

from connector_host.ports.parts import Clock

_HERE = Path(__file__).parent


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


class Configuration(Struct, frozen=True):
    """Where a host finds its things; each field falls back to an environment variable, then to a default.

    home: data folder (CONNECTOR_HOST_HOME, else ~/.connector-host). database: a URL (CONNECTOR_HOST_DATABASE).
    key: a key provider, `file`, `file:PATH` or `env:VARIABLE` (CONNECTOR_HOST_KEY). manifest: the host's
    manifest.yaml (CONNECTOR_HOST_MANIFEST), laid over the one that comes with the package. clock: replaceable for
    tests. plugs: objects that implement sockets, beside those of installed packages. plugin_folders: folders of plugins
    beside those of the manifest. steps: names of what every request passes, the first outermost, in place of the
    manifest's; a step that is not named is not used. slots: what fills slots, in place of the manifest's: by the slot's
    name the name of a part, a part, or a function that makes one of `Surroundings` (`{"store": MyStore}`); for
    `notifier` a tuple of those, for `agent` and `runner` a mapping of names and those.
    """

    home: Path | None = None
    database: str | None = None
    key: str | None = None
    manifest: Path | None = None
    clock: Clock | None = None
    plugs: tuple[object, ...] = ()
    plugin_folders: tuple[Path, ...] = ()
    steps: tuple[str, ...] | None = None
    slots: Mapping[str, Any] = field(default_factory=dict)

    def resolved_home(self) -> Path:
        """Return the data folder."""
        home = self.home or Path(os.environ.get("CONNECTOR_HOST_HOME") or Path.home() / ".connector-host")
        return home.expanduser()

    def resolved_manifest(self) -> Path:
        """Return the host manifest; the one that comes with the package unless told otherwise."""
        manifest = self.manifest or Path(os.environ.get("CONNECTOR_HOST_MANIFEST") or bundled() / "manifest.yaml")
        return manifest.expanduser()


DEFAULT = Configuration()


def bundled() -> Path:
    """Return the folder with the host manifest, the schemas and the plugins: in the wheel, or the checkout's top."""
    packed = _HERE / "_bundled"
    return packed if packed.is_dir() else _HERE.parent
