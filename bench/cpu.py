"""CPU time beside bare httpx2 and the official client, against a server that answers at once: medians, in turn."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.certificates import write_certificate

KEY = "a" * 32
ROUNDS = 5
GATES = {
    "invocation / bare httpx2": 0.45,
    "host's own part (us)": 110,
    "the store's part of it (us)": 80,
    "the intent's part of that (us)": 40,
    "intents of a read-only command": 0,
    "64 at once (per second)": 3000,
    "64 at once, p99 (ms)": 40,
    "written per invocation, alone (bytes)": 13_000,
    "written per invocation, 64 at once (bytes)": 3_000,
    "users / official": 0.75,
    "intake / official fetch": 0.6,
    "intake, memory (MB)": 20,
    "one command / official script": 1.25,
    "--help / official script": 0.5,
}


@contextmanager
def served(*files: str) -> Iterator[str]:
    """The fast server in a process of its own; gives its port."""
    command = [sys.executable, "-m", "bench.fast_server", *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def told(module: str, *words: str) -> dict[str, Any]:
    """What a measuring program of ours printed."""
    done = subprocess.run([sys.executable, "-m", module, *words], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def process_ms(command: list[str], environment: dict[str, str]) -> float:
    """CPU milliseconds of a whole program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def programs(base: str, ca: str, home: str) -> dict[str, float]:
    """One command, and the help, as programs, beside the official client's script."""
    environment = {**os.environ, "CONNECTOR_HOST_HOME": home, "K": KEY}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody runs a program whose modules are compiled each time
    host = [sys.executable, "-m", "connector_host"]
    where = [f"--set={name}={value}" for name, value in (("server_url", base), ("event_url", base), ("ca_bundle", ca))]
    secrets = ["--secret=api_key=env:K", "--secret=integration_key=env:K"]
    add = [*host, "connections", "add", "bench", "--plugin", "pagerduty", *where, *secrets]
    subprocess.run(add, env=environment, check=True, stderr=subprocess.DEVNULL)
    event = [*host, "test-command", "pagerduty", "create-event", "--connection", "bench", "--output", "json"]
    event += ["--summary", "s", "--severity", "Info", "--source", "s", "--dedup-key", "warm"]  # as the server answers
    script = [sys.executable, str(Path(__file__).with_name("official_event.py")), base, ca]
    rows = [
        [process_ms(command, environment) for command in (event, [*host, "--help"], script)] for _ in range(ROUNDS + 1)
    ][1:]
    return {
        "one command / official script": statistics.median(ours / theirs for ours, _, theirs in rows),
        "--help / official script": statistics.median(help_ / theirs for _, help_, theirs in rows),
    }


def lists(base: str, ca: str) -> dict[str, float]:
    """Long lists beside the official client's."""
    rows = []
    for _ in range(3):
        cases = ("users", "official_users", "intake", "official_incidents")
        users, theirs, intake, fetched = (told("bench.lists", case, base, ca) for case in cases)
        rows.append((users["cpu_s"] / theirs["cpu_s"], intake["cpu_s"] / fetched["cpu_s"], intake["mb"]))
    names = ("users / official", "intake / official fetch", "intake, memory (MB)")
    return {name: statistics.median(row[index] for row in rows) for index, name in enumerate(names)}


def measured() -> dict[str, float]:
    """Measure, and print each beside its gate."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made:
        with served() as port:
            one = told("bench.invocations", f"http://127.0.0.1:{port}")
        found |= {
            "invocation / bare httpx2": one["ratio"],
            "host's own part (us)": one["own_us"],
            "the store's part of it (us)": one["store"]["us"],
            "the intent's part of that (us)": one["store"]["intent_us"],
            "intents of a read-only command": one["store"]["read_only_intents"],
            "64 at once (per second)": one["at_once"]["per_second"],
            "64 at once, p99 (ms)": one["at_once"]["p99_ms"],
            "written per invocation, alone (bytes)": one["bytes_alone"],
            "written per invocation, 64 at once (bytes)": one["bytes_at_once"],
        }
        certificate, key = write_certificate(Path(made))
        with served(str(certificate), str(key)) as port:
            found |= lists(f"https://127.0.0.1:{port}", str(certificate))
            found |= programs(f"https://127.0.0.1:{port}", str(certificate), f"{made}/home")
    for name, value in found.items():
        good = value >= GATES[name] if name == "64 at once (per second)" else value <= GATES[name]
        print(f"{name:44} {value:9.2f}   gate {GATES[name]:>8}   {'met' if good else 'NOT MET'}")
    return found
