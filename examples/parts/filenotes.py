"""A part: a notifier that writes each notice to a file, with a setting of its own.

A package offers it by an entry point in the group `connector_host` that names this module (in its pyproject.toml:
`[project.entry-points.connector_host]`, `filenotes = "filenotes"`); an embedding program gives the module itself:
`Configuration(plugs=(filenotes,))`. The host manifest then says:

    notifiers: [filenotes]
    options: {filenotes: {file: /var/log/notices.txt}}
"""

from collections.abc import Mapping
from pathlib import Path

from connector_host import NoticeUndelivered
from connector_host.ports.hookspecs import plug
from connector_host.ports.parts import Notice, Surroundings


class FileNotes:
    """Appends a line for each notice; the file stands in the data folder where none is set."""

    def __init__(self, surroundings: Surroundings) -> None:
        options = surroundings.options("filenotes")
        self._file = Path(options.get("file", surroundings.home / "notices.txt"))

    async def notify(self, notice: Notice) -> None:
        """Write the notice down."""
        try:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(f"{notice.event} {notice.connection} to {', '.join(notice.recipients)}: {notice.subject}\n")
        except OSError as error:
            raise NoticeUndelivered(f"{self._file} cannot be written: {error.strerror}.") from error


@plug
def provide() -> Mapping[str, Mapping[str, str]]:
    """Offer the notifier by its name."""
    return {"notifier": {"filenotes": f"{__name__}:FileNotes"}}
