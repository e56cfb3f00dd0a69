"""`uv run python -m bench [PART…]`: prints tables and writes bench/out/bench.json.

The parts: `house`, `invocations`, `commands`, `connections`, `authoring`, `trust`, `web`, `page`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import authoring, connections, cpu, house, page, trust, web
from tests.certificates import write_certificate

OUT = Path(__file__).parent / "out" / "bench.json"
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


def main() -> None:
    """Measure everything, or what the arguments name."""
    wanted = set(sys.argv[1:]) or {
        "house",
        "invocations",
        "commands",
        "connections",
        "authoring",
        "trust",
        "web",
        "page",
    }
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
    if "web" in wanted:
        report = web.measured()
        web.show(report)
        keep({"web": report})
    if "page" in wanted:
        with sandbox(None, None) as base:
            report = page.measured(base)
        page.show(report)
        keep({"page": report})
    if "trust" in wanted:
        keep({"trust": trust.tried()})


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
    """What `invocations` does not measure: by the clock, over a slow server, and a long list as one result."""
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        certificate, key = write_certificate(folder)
        with sandbox(certificate, key, "--incidents", "10000", "--incident-bytes", "5000") as base:
            report["10,000 incidents, run"] = pairs("ours_incidents", "official_incidents", base, certificate, folder)
        with sandbox(certificate, key, "--incidents", "500", "--latency", "50") as base:
            report["alerts of 500 incidents"] = pairs("ours_alerts", "official_alerts", base, certificate, folder, 1)
    show(report)
    return report


def show(report: dict[str, Any]) -> None:
    for name, row in report.items():
        memory = f"MB above start {row['ours_mb_above_start']:.0f} / {row['official_mb_above_start']:.0f}"
        times = f"ours {row['ours_s']:6.2f}   official {row['official_s']:6.2f}   ratio {row['ratio']:.2f}"
        print(f"{name + ' (s)':34} {times}   {memory}")


if __name__ == "__main__":
    main()
