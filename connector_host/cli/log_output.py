"""Where the program's log goes: into the data folder, to whoever waits, and as lines of JSON for collectors."""

import io
import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from connector_host.logs import install
from connector_host.model.result import iso

BYTES, KEPT = 1_000_000, 3
FACTS = ("invocation", "connection", "request_id")  # of what was under way, where a record has them


class Lines(logging.Formatter):
    """A line of text for each record, which ends with what was under way."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line."""
        facts = _facts(record)
        told = " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in facts.items())
        return f"{super().formatMessage(record)} [{told}]" if told else super().formatMessage(record)


class JsonLines(logging.Formatter):
    """A JSON object for each record: time, level, logger, message, what was under way, and an error's traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def _facts(record: logging.LogRecord) -> dict[str, str]:
    return {name: value for name in FACTS if (value := getattr(record, name, ""))}


class LogFile(RotatingFileHandler):
    """`host.log`, made (for its owner only) when there is something to write."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "host.log", maxBytes=BYTES, backupCount=KEPT, encoding="utf-8", delay=True)
        self.setFormatter(Lines())

    def _open(self) -> io.TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        return super()._open()


def show_faults() -> None:
    """Show authors their own exceptions, tracebacks and all, on standard error; secrets are masked."""
    faults = logging.StreamHandler()
    faults.setLevel(logging.ERROR)
    faults.setFormatter(logging.Formatter("%(message)s"))
    install(faults)
    logging.getLogger("connector_host.plugins").addHandler(faults)


def start_logging(home: Path) -> None:
    """Send our loggers' warnings into the file, and what concerns a wait, or a given value, to whoever asked."""
    logger = logging.getLogger("connector_host")
    if not logger.handlers:
        file = LogFile(home)
        file.setLevel(logging.WARNING)
        logger.addHandler(file)
        waits = logging.StreamHandler()
        waits.setFormatter(logging.Formatter("%(message)s"))
        for name in ("requests", "connections"):
            logging.getLogger(f"connector_host.{name}").addHandler(waits)
        last = [logging.lastResort] if logging.lastResort else []
        install(file, waits, *last, *logging.getLogger().handlers)


def log_as_json() -> None:
    """Send everything, each request too, to standard error as lines of JSON; nothing goes into the file any more."""
    lines = logging.StreamHandler()
    lines.setFormatter(JsonLines())
    install(lines)
    for name in ("connector_host", "connector_host.requests", "connector_host.connections"):
        logger = logging.getLogger(name)
        logger.handlers = []
    logger = logging.getLogger("connector_host")
    logger.setLevel(logging.INFO)
    logger.addHandler(lines)
