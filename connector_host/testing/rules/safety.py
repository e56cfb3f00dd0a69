"""Rules about safety: no secret gets out, nothing goes elsewhere, deadlines and cancellation leave the host whole."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio

from connector_host.contract.errors import TimedOut
from connector_host.contract.manifest import Command
from connector_host.contract.modules import CODE
from connector_host.testing.answers import Answer
from connector_host.testing.bench import DEADLINE, Bench
from connector_host.testing.overheard import connects_heard
from connector_host.testing.rules.failures import good_sample
from connector_host.testing.rules.ruling import NOT_APPLICABLE, Seen, rule
from connector_host.testing.samples import Arrived
from connector_host.testing.values import good_inputs

SHORT = 0.01  # seconds
IMPORT_MS = 200
ELSEWHERE = frozenset(
    {"socket", "ssl", "http", "urllib.request", "ftplib", "smtplib", "subprocess", "requests", "httpx", "httpx2"}
    | {"aiohttp", "urllib3", "websockets", "asyncio.subprocess", "multiprocessing", "ctypes"}
)


@rule("no-secret-out", "bronze", "No secret of the connection stands in a result, an exception or a log.")
async def no_secret_out(bench: Bench, command: Command) -> Seen:
    everything = json.dumps({"message": " ".join(bench.canaries.values())}).encode()
    for status in (200, 400, 401, 500):
        run = await bench.run(command, good_inputs(command), bench.always((status, {}, everything)))
        if run.leaks:
            return f"With a server that repeats secrets, {run.leaks[0]} came out ({run.status})."
    if bench.canaries and good_sample(command):
        run = await bench.run(command, good_inputs(command))
        urls = [one.url for one in run.requests if any(canary in one.url for canary in bench.canaries.values())]
        if urls and not _query_is_declared(bench):
            return "A secret stands in a URL, where proxies and logs will see it: send it as a header."
        if run.leaks:
            return f"{run.leaks[0]} came out."
    return None


def _query_is_declared(bench: Bench) -> bool:
    auths = [server.auth for server in bench.manifest.servers.values() if server.auth is not None]
    return any(one.type == "query" for one in auths)


@rule("declared-servers-only", "bronze", "Requests go to the declared servers alone.", each_command=False)
async def declared_servers_only(bench: Bench, _command: Command) -> Seen:
    with connects_heard() as heard:
        for command in bench.manifest.commands.values():
            await bench.run(command, good_inputs(command))
    if heard:
        return f"It connected to {heard[0]} by itself; use call.request, which stays with the declared servers."
    if bench.script.strays:
        return f"It sent {bench.script.strays[0]}."
    for file in sorted(bench.manifest.root.glob("*.py")):
        if file.name.startswith(("sandbox", "test_")):
            continue
        for name, line in _imports(file):
            if name in ELSEWHERE or name.partition(".")[0] in ELSEWHERE:
                return f"{file.name}:{line} imports {name}; use call.request, which stays with the declared servers."
    return None


def _imports(file: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


@rule("deadline-kept", "gold", "A server that never answers ends with the deadline, as a time-out.")
async def deadline_kept(bench: Bench, command: Command) -> Seen:
    if good_sample(command) is None:
        return NOT_APPLICABLE

    async def late(_request: Arrived) -> Answer:
        await bench.script.clock.sleep(DEADLINE)  # as the wire does: it gives up when the deadline has come
        raise TimedOut

    run = await bench.run(command, good_inputs(command), late)
    if run.status != "Failed" or set(run.kinds) != {"timeout"}:
        return f"It ended so: {run.words}"
    return None


async def _never(_request: Arrived) -> Answer:
    await anyio.sleep_forever()
    raise AssertionError


@rule("cancellation-clean", "gold", "A run that is cancelled leaves the connection as it was.")
async def cancellation_clean(bench: Bench, command: Command) -> Seen:
    if good_sample(command) is None:
        return NOT_APPLICABLE
    with anyio.move_on_after(SHORT):
        await bench.run(command, good_inputs(command), _never)
    run = await bench.run(command, good_inputs(command))
    if run.status != "Passed":
        return f"After a cancelled run it ended so: {run.words}"
    return None


_IMPORT = """
import sys, time, threading
from connector_host.contract.manifest import Manifest
from connector_host.contract.modules import plugin_module
from pathlib import Path
import connector_host, types
written = []

def heard(event, args):
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if writes or event in ("socket.connect", "subprocess.Popen"):
        written.append(f"{event} {args[0]!r:.80}")

sys.addaudithook(heard)
before, threads = time.perf_counter(), threading.active_count()
plugin_module(types.SimpleNamespace(id=sys.argv[2], root=Path(sys.argv[1])), "commands")
took = (time.perf_counter() - before) * 1000
written = [one for one in written if "__pycache__" not in one and ".pyc" not in one]
print("\\n" + "|".join([f"{took:.0f}", str(threading.active_count() - threads), written[0] if written else ""]))
"""


@rule("import-clean", "bronze", "Importing the plugin's code takes under 200 ms and does nothing.", each_command=False)
async def import_clean(bench: Bench, _command: Command) -> Seen:
    root = bench.manifest.root
    if not (root / CODE).exists():
        return NOT_APPLICABLE
    command = [sys.executable, "-c", _IMPORT, str(root), bench.manifest.id]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own interpreter
    )
    if done.returncode:
        return f"It can not be imported: {done.stderr.strip().splitlines()[-1]}"
    printed, _, last = done.stdout.rstrip("\n").rpartition("\n")
    took, threads, did = last.split("|", 2)
    seen = [f"prints {printed.strip()[:80]!r}"] if printed.strip() else []
    seen += [f"does something: {did or 'it starts a thread'}"] if int(threads) or did else []
    seen += [f"takes {took} ms"] if int(took) > IMPORT_MS else []
    return f"Importing it {', and '.join(seen)}." if seen else None
