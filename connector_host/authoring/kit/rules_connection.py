"""Rules about Test Connection: there is one, a wrong key fails it, and it changes nothing."""

import base64
import re
from urllib.parse import urlsplit

from connector_host.authoring.kit.bench import NOT_APPLICABLE, Bench, Seen, rule
from connector_host.authoring.kit.exchanges import BySamples
from connector_host.authoring.kit.rules_results import READING
from connector_host.model.manifest import Command

REFUSED = 400
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


@rule("test-connection", "bronze", "There is a command of kind test_connection.", each_command=False)
async def has_test_connection(bench: Bench, _command: Command) -> Seen:
    found = [one for one in bench.manifest.commands.values() if one.kind == "test_connection"]
    return None if found else "Add a command with 'kind: test_connection'."


@rule(
    "test-connection-fails",
    "silver",
    "Test Connection sends the credentials, and fails where they are refused.",
)
async def refused_test_fails(bench: Bench, command: Command) -> Seen:
    if command.kind != "test_connection":
        return NOT_APPLICABLE
    run = await bench.run(command, {}, bench.always((401, {}, b"")))
    if run.status != "Failed" or "unauthorized" not in run.kinds:
        return f"With refused credentials it ended so: {run.words}"
    return await _shows_who_asks(bench, command)


async def _shows_who_asks(bench: Bench, command: Command) -> Seen:
    """Whether the test sends the credentials: one that does not would pass with wrong ones."""
    sample = next((one for one in command.samples if one.status == "Passed" and one.http), None)
    if sample is None or not bench.canaries:
        return None
    run = await bench.run(command, sample.input, BySamples(bench.manifest, (command.id, sample)))
    sent = " ".join(f"{one.url} {' '.join(one.headers.values())} {one.body!r}" for one in run.requests)
    encoded = (base64.b64decode(word + "===") for word in sent.split() if _BASE64.fullmatch(word))
    texts = sent + " ".join(one.decode("utf-8", "replace") for one in encoded)
    if any(canary in texts for canary in bench.canaries.values()) or any(map(bench.asks_for_token, run.requests)):
        return None
    return "It sends none of the connection's secrets, and would pass with a wrong one: ask for what needs them."


@rule("test-connection-changes-nothing", "bronze", "Test Connection only reads; what would change is refused.")
async def connection_test_reads(bench: Bench, command: Command) -> Seen:
    if command.kind != "test_connection" or not command.samples:
        return NOT_APPLICABLE
    for sample in command.samples:
        run = await bench.run(command, sample.input, BySamples(bench.manifest, (command.id, sample)))
        refused = {exchange.request.partition("?")[0] for exchange in sample.http if exchange.status >= REFUSED}
        changing = [
            one
            for one in run.requests
            if one.method not in READING
            and not bench.asks_for_token(one)
            and not any(f"{one.method} {urlsplit(one.url).path}".endswith(line) for line in refused)
        ]
        if changing:
            return f"It sends {changing[0].method} {changing[0].url}."
    return None
