"""`uv run python -m bench`: prints a table and writes bench/out/bench.json."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import authoring, connections, cpu, house
from tests.certificates import write_certificate

OUT = Path(__file__).parent / "out" / "bench.json"
PROCESS_ROUNDS = 9
REPEATS = 3


@contextmanager
def sandbox(certificate: Path | None, key: Path | None, *options: str) -> Iterator[str]:
    """The stand-in in a process of its own, over TLS where there is a certificate."""
    command = [sys.executable, "-m", "connector_host", "sandbox", "pagerduty", "--rate-limit", "1000000000"]
    tls = ["--tls-certificate", str(certificate), "--tls-key", str(key)] if certificate else []
    with subprocess.Popen([*command, *tls, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield next(word for word in process.stderr.readline().split() if word.startswith("http"))
        finally:
            process.terminate()


def work(case: str, base: str, ca: Path, home: Path) -> dict[str, Any]:
    """One worker's measurement."""
    arguments = [sys.executable, "-m", "bench.worker", case, base, str(ca), str(home)]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pairs(ours: str, official: str, base: str, ca: Path, folder: Path, rounds: int = REPEATS) -> dict[str, Any]:
    """Both in turn; medians, and the ratio pair by pair."""
    mine, theirs = [], []
    for turn in range(rounds):
        mine.append(work(ours, base, ca, folder / f"{ours}-{turn}"))
        theirs.append(work(official, base, ca, folder))
    ratios = [one["seconds"] / other["seconds"] for one, other in zip(mine, theirs, strict=True)]
    return {
        "ours_s": statistics.median(one["seconds"] for one in mine),
        "official_s": statistics.median(one["seconds"] for one in theirs),
        "ratio": statistics.median(ratios),
        "count": mine[0]["count"],
        "ours_mb_above_start": statistics.median(one["mb_above_start"] for one in mine),
        "official_mb_above_start": statistics.median(one["mb_above_start"] for one in theirs),
    }


def whole_process(base: str, ca: Path, home: Path) -> dict[str, Any]:
    """One create-event as a program of its own."""
    ours = [
        sys.executable,
        "-m",
        "connector_host",
        "test-command",
        "pagerduty",
        "create-event",
        "--connection",
        "bench",
    ]
    ours += ["--summary", "s", "--severity", "Info", "--source", "s", "--output", "json"]
    official = [sys.executable, str(Path(__file__).with_name("official_event.py")), base, str(ca)]
    environment = {**os.environ, "CONNECTOR_HOST_HOME": str(home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody runs a program whose modules are compiled each time
    times: list[tuple[float, float]] = []
    for _ in range(PROCESS_ROUNDS + 1):
        begun = time.perf_counter()
        subprocess.run(ours, env=environment, stdout=subprocess.DEVNULL, check=True)
        middle = time.perf_counter()
        subprocess.run(official, env=environment, stdout=subprocess.DEVNULL, check=True)
        times.append((middle - begun, time.perf_counter() - middle))
    counted = times[1:]
    return {
        "ours_s": statistics.median(one for one, _ in counted),
        "official_s": statistics.median(other for _, other in counted),
        "ratio": statistics.median(one / other for one, other in counted),
    }


def main() -> None:
    """Measure everything, or what the arguments name: `house`, `invocations`, `commands`, `connections`, `authoring`."""
    wanted = set(sys.argv[1:]) or {"house", "invocations", "commands", "connections", "authoring"}
    OUT.parent.mkdir(exist_ok=True)
    if "house" in wanted:
        house.report()
        house.report_entered()
    if "invocations" in wanted:
        keep({"invocations": cpu.measured()})
    if "commands" in wanted:
        keep(commands())
    if "connections" in wanted:
        keep(many())
    if "authoring" in wanted:
        report = authoring.authoring()
        authoring.show(report)
        keep({"authoring": report})


def keep(report: dict[str, Any]) -> None:
    """Add to the file what was measured."""
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps({**known, **report}, indent=2) + "\n")
    print(f"Written to {OUT}\n")


def many() -> dict[str, Any]:
    """Many connections."""
    with tempfile.TemporaryDirectory() as made, sandbox(None, None) as base:
        report = {"1,000 health checks": connections.health(base, Path(made))}
        report["growth"] = connections.growth(base, Path(made))
    connections.show(report)
    return report


def commands() -> dict[str, Any]:
    """Commands, beside the official client."""
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        certificate, key = write_certificate(folder)
        with sandbox(certificate, key, "--users", "10000") as base:
            report["warm"] = work("warm", base, certificate, folder / "warm")
            report["whole process"] = whole_process(base, certificate, folder / "warm")
            report["10,000 users"] = pairs("ours_users", "official_users", base, certificate, folder)
        with sandbox(certificate, key, "--incidents", "10000", "--incident-bytes", "5000") as base:
            report["10,000 incidents, intake"] = pairs("ours_intake", "official_incidents", base, certificate, folder)
            report["10,000 incidents, run"] = pairs("ours_incidents", "official_incidents", base, certificate, folder)
        with sandbox(certificate, key, "--incidents", "500", "--latency", "50") as base:
            report["alerts of 500 incidents"] = pairs("ours_alerts", "official_alerts", base, certificate, folder, 1)
    show(report)
    return report


def show(report: dict[str, Any]) -> None:
    one = report["warm"]
    print(
        f"{'one create-event, warm (µs)':34} ours {one['ours_us']:6.0f}   official {one['official_us']:6.0f}   raw httpx2 {one['raw_us']:6.0f}"
    )
    print(
        f"{'  added to the raw call (µs)':34} {one['added_us']:6.0f}   invocations per second {1e6 / one['ours_us']:.0f}"
    )
    for name, row in report.items():
        if name != "warm":
            memory = (
                f"   MB above start {row['ours_mb_above_start']:.0f} / {row['official_mb_above_start']:.0f}"
                if "count" in row
                else ""
            )
            print(
                f"{name + ' (s)':34} ours {row['ours_s']:6.2f}   official {row['official_s']:6.2f}   ratio {row['ratio']:.2f}{memory}"
            )


if __name__ == "__main__":
    main()
