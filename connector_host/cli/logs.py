"""Where the command line's log goes: details into a file in the data folder, waits onto standard error."""

import io
import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

BYTES, KEPT = 1_000_000, 3


class LogFile(RotatingFileHandler):
    """`host.log`, made (for its owner only) when there is something to write."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "host.log", maxBytes=BYTES, backupCount=KEPT, encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def _open(self) -> io.TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        return super()._open()


def start_logging(home: Path) -> None:
    """Send our loggers' warnings into the file, and what concerns a wait to whoever waits."""
    logger = logging.getLogger("connector_host")
    if not logger.handlers:
        file = LogFile(home)
        file.setLevel(logging.WARNING)
        logger.addHandler(file)
        waits = logging.StreamHandler()
        waits.setFormatter(logging.Formatter("%(message)s"))
        logging.getLogger("connector_host.requests").addHandler(waits)
