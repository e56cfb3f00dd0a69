"""Rules about safety: bad inputs are refused, no secret gets out, nothing goes elsewhere, deadlines hold."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio

from connector_host.authoring.kit.bench import DEADLINE, NOT_APPLICABLE, Bench, Seen, rule
from connector_host.authoring.kit.exchanges import Answer, ReceivedRequest
from connector_host.authoring.kit.rules_failures import good_sample
from connector_host.authoring.kit.script import connects_heard
from connector_host.authoring.kit.values import fuzzed, good_inputs
from connector_host.model.invocation_errors import TimedOut
from connector_host.model.manifest import CODE, Command

ROUNDS = 30


@rule("unknown-input-refused", "silver", "An input that is not declared is refused, and nothing is sent.")
async def unknown_input_refused(bench: Bench, command: Command) -> Seen:
    run = await bench.run(command, {**good_inputs(command), "not_declared_anywhere": 1})
    if run.kinds != ["invalid_input"] or run.requests:
        return f"It ended so: {run.words} ({len(run.requests)} requests)"
    return None


@rule("input-fuzzed", "silver", "No input makes the command raise, or its code fail.")
async def input_fuzzed(bench: Bench, command: Command) -> Seen:
    for inputs in fuzzed(command, ROUNDS):
        run = await bench.run(command, inputs)
        if run.result is None or "internal" in run.kinds:
            return f"With {inputs!r:.300} it ended so: {run.words}"
    return None


@rule("required-input-told", "silver", "A required input that is missing is named in the error.")
async def required_input_told(bench: Bench, command: Command) -> Seen:
    required = command.input.get("required", [])
    for name in required:
        schema = command.input["properties"][name]
        inputs = {key: value for key, value in good_inputs(command).items() if key != name}
        run = await bench.run(command, inputs)
        if "default" not in schema and run.kinds != ["invalid_input"]:
            return f"Without {name} it ended so: {run.words}"
    return None if required else NOT_APPLICABLE


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

    async def late(_request: ReceivedRequest) -> Answer:
        await bench.script.clock.sleep(DEADLINE)  # as the wire does: it gives up when the deadline has come
        raise TimedOut

    run = await bench.run(command, good_inputs(command), late)
    if run.status != "Failed" or set(run.kinds) != {"timeout"}:
        return f"It ended so: {run.words}"
    return None


async def _never(_request: ReceivedRequest) -> Answer:
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
from connector_host.model.manifest import Manifest
from connector_host.running.python import plugin_module
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
        return f"It cannot be imported: {done.stderr.strip().splitlines()[-1]}"
    printed, _, last = done.stdout.rstrip("\n").rpartition("\n")
    took, threads, did = last.split("|", 2)
    seen = [f"prints {printed.strip()[:80]!r}"] if printed.strip() else []
    seen += [f"does something: {did or 'it starts a thread'}"] if int(threads) or did else []
    seen += [f"takes {took} ms"] if int(took) > IMPORT_MS else []
    return f"Importing it {', and '.join(seen)}." if seen else None
