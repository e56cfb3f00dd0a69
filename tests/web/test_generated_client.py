"""A client that somebody generates from `/openapi.json` runs every command of PagerDuty."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.web.conftest import Web

SAMPLES = Path(__file__).resolve().parents[2] / "plugins/pagerduty/samples"
# The commands of the specification; the others are given the inputs of their samples, whose ids nobody here knows.
SPECIFIED = {
    *("create_event", "acknowledge_event", "resolve_event", "resolve_incidents", "get_incident_alerts"),
    *("list_users", "get_user_contact_methods", "get_all_schedules", "fetch_incident", "test_connection"),
}


@pytest.mark.long
def test_a_generated_client_runs_every_command(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = web.client().get("/openapi.json?plugins=pagerduty").json()
    _generate(document, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    client = importlib.import_module("generated").AuthenticatedClient
    commands = {
        path.rpartition("/")[2]: operations["post"]
        for path, operations in document["paths"].items()
        if path.startswith("/api/v1/plugins/pagerduty/commands/") and "post" in operations
    }
    with client(base_url=web.base, token=web.token("operator"), httpx_args={"trust_env": False}) as caller:
        results = {name: _call(caller, operation, _inputs(name, web)) for name, operation in commands.items()}
    failed = {name for name, result in results.items() if result.status != "Passed"}
    assert not failed & SPECIFIED
    told = {entry.kind.value for name in failed for entry in results[name].error.entries}
    assert told <= {"not_found", "rejected"}  # PagerDuty's own refusals: each input arrived
    assert len(results) == len(list(SAMPLES.glob("*.yaml"))) > 50


def _generate(document: dict[str, Any], folder: Path) -> None:
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "settings.yaml").write_text("post_hooks: []\n")
    generator = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    files = ["--path", "openapi.json", "--config", "settings.yaml", "--output-path", "generated"]
    made = subprocess.run([*generator, *files], cwd=folder, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, ""), made.stdout + made.stderr


def _inputs(command: str, web: Web) -> dict[str, Any]:
    ids = list(web.sandbox.account.incidents)
    if command == "get_user_contact_methods":
        return {"user_ids": ["PU00001"]}
    if command in {"get_incident_alerts", "resolve_incidents"}:
        return {"incident_ids": ids[:2]}
    sample: list[dict[str, Any]] = yaml.safe_load((SAMPLES / f"{command}.yaml").read_text())
    return dict(sample[0].get("input", {}))


def _call(caller: Any, operation: dict[str, Any], inputs: dict[str, Any]) -> Any:
    name = operation["operationId"].replace(".", "_")
    module = importlib.import_module(f"generated.api.pager_duty.{name}")
    models = importlib.import_module("generated.models")
    body = getattr(models, f"{name.title().replace('_', '')}Body").from_dict(inputs)
    reply = module.sync_detailed(client=caller, body=body, connection="prod")
    assert reply.status_code == 200, (name, reply.content)
    return reply.parsed
