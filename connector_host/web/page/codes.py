"""A run as code: the same call for a shell, for curl, for Python; never with a secret, and safe to paste."""

import json
from collections.abc import Mapping
from shlex import quote
from typing import Any


def codes_of(plugin: str, command: str, connection: str, inputs: Mapping[str, Any], base: str) -> dict[str, str]:
    """Return the call as CLI, curl, Python and HTTP."""
    body = json.dumps({"plugin": plugin, "command": command, "connection": connection, "inputs": dict(inputs)})
    given = json.dumps(dict(inputs))
    return {
        "CLI": (
            f"printf '%s' {quote(given)} | connector-host test-command {quote(plugin)} "
            f"{quote(command.replace('_', '-'))} --connection={quote(connection)} --input -"
        ),
        "curl": (
            f"curl -sS -H \"Authorization: Bearer $CONNECTOR_HOST_TOKEN\" -H 'Content-Type: application/json' "
            f"--data-raw {quote(body)} {quote(f'{base}/api/v1/invocations')}"
        ),
        "Python": (
            "from connector_host.blocking import open_host\n\n"
            "with open_host() as host:\n"
            f"    result = host.as_operator().run({plugin!r}, {command!r}, {connection!r}, {dict(inputs)!r})\n"
            "    print(result.status)"
        ),
        "HTTP": (
            f"POST /api/v1/invocations HTTP/1.1\nAuthorization: Bearer TOKEN\nContent-Type: application/json\n\n{body}"
        ),
    }
