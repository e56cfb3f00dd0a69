"""Times what authors wait for: a look at ten commands, a new plugin, its tests, and a page."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from connector_host.authoring.scaffold import scaffold
from connector_host.configuration import bundled
from connector_host.manifests.reading import examine

ROUNDS = 15


def authoring() -> dict[str, Any]:
    """Measure; milliseconds within one process, seconds of whole processes."""
    with tempfile.TemporaryDirectory() as made:
        ten = ten_commands(Path(made))
        report: dict[str, Any] = {
            "validate ten commands (ms)": timed(lambda: examine(ten / "manifest.yaml", bundled() / "schemas")),
            "validate all 58 of PagerDuty (ms)": timed(
                lambda: examine(bundled() / "plugins" / "pagerduty" / "manifest.yaml", bundled() / "schemas")
            ),
        }
        for name, arguments in {
            "plugins new (s)": ("new", "acme", "--no-link"),
            "plugins validate (s)": ("validate", "acme"),
            "plugins test (s)": ("test", "acme"),
            "plugins docs (s)": ("docs", "acme"),
        }.items():
            begun = time.perf_counter()
            command = [sys.executable, "-m", "connector_host", "plugins", *arguments]
            subprocess.run(command, cwd=made, check=True, capture_output=True)
            report[name] = round(time.perf_counter() - begun, 2)
    return report


def ten_commands(folder: Path) -> Path:
    """Write a plugin of ten commands, each as the scaffold's one."""
    scaffold("ten", folder / "ten", None)
    file = folder / "ten" / "manifest.yaml"
    text = file.read_text("utf-8")
    start = text.index("  get_ticket:")
    command = text[start : text.index("  test_connection:")]
    more = "".join(command.replace("get_ticket:", f"get_ticket_{number}:") for number in range(8))
    file.write_text(text.replace(command, command + more), "utf-8")
    return file.parent


def timed(work: Any) -> float:
    """Return the median of some rounds, in milliseconds."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1000)
    return round(median(taken), 1)


def show(report: dict[str, Any]) -> None:
    """Print it."""
    for name, value in report.items():
        print(f"{name:36} {value}")
