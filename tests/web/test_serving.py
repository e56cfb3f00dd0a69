"""`serve` as operators run it: its log for collectors, the trace of whoever asks, intakes on their schedules."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx2

from connector_host import IntakeSchedule
from tests.web.conftest import PROGRAM, Web, serving
from tests.world import API_KEY, World, pagerduty_sandbox

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_the_log_is_json_with_what_was_under_way(tmp_path: Path) -> None:
    world = World(tmp_path / "home")
    with pagerduty_sandbox(fail="503:2") as sandbox:
        world.add(sandbox.base)
        from connector_host.model.token import Scope, Token

        _, text = world.use(lambda session: session.tokens.add(Token("operator", (Scope.ADMIN,))))
        command = [PROGRAM, "serve", "--port", "0", "--log", "json"]
        environment = {**os.environ, "CONNECTOR_HOST_HOME": str(world.home)}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as program:
            assert program.stderr is not None
            base = ""
            while not base:
                line = program.stderr.readline()
                base = line.partition("HTTP API at ")[2].partition("/api/v1")[0]
            body = {"plugin": "pagerduty", "command": "list_users", "connection": "prod"}
            headers = {"Authorization": f"Bearer {text}", "X-Request-Id": "req-42"}
            with httpx2.Client(base_url=f"{base}/api/v1", headers=headers, timeout=60, trust_env=False) as client:
                assert client.post("/invocations?secret=x", json=body).status_code == 422
                found = client.post("/invocations", json=body)
            program.terminate()
            told = program.stderr.read()
    assert found.headers["X-Request-Id"] == "req-42"
    lines: list[dict[str, Any]] = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    asked = [one for one in lines if "POST /api/v1/invocations" in one["message"]]
    assert len(asked) == 2
    for one in asked:
        assert (one["request_id"], one["level"], one["logger"]) == ("req-42", "info", "connector_host.web")
        assert "secret" not in one["message"]
    retried = [one for one in lines if "trying again" in one["message"]]
    assert {(one["connection"], one["request_id"]) for one in retried} == {("prod", "req-42")}
    assert found.json()["invocation_id"] == retried[0]["invocation"]
    assert API_KEY not in told


def test_a_trace_is_handed_on_to_the_product(tmp_path: Path) -> None:
    seen: list[str] = []

    async def product(scope: Any, _receive: Any, send: Any) -> None:
        seen.extend(value.decode() for name, value in scope["headers"] if name == b"traceparent")
        body = b'{"users": [], "more": false, "offset": 0, "limit": 100}'
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    from tests.world import serving_app

    world = World(tmp_path / "home")
    with serving_app(product) as base:
        world.add(base)
        from connector_host.model.token import Scope, Token

        _, text = world.use(lambda session: session.tokens.add(Token("operator", (Scope.ADMIN,))))
        with serving(world.home) as address:
            client = httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {text}"}, trust_env=False)
            body = {"plugin": "pagerduty", "command": "list_users", "connection": "prod"}
            for given in (f"00-{TRACE}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01", "x\ty"):
                client.post("/api/v1/invocations", json=body, headers={"traceparent": given})
            client.close()
    assert len(seen) == 1
    version, trace, span, flags = seen[0].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != "00f067aa0ba902b7"  # a span of its own, below the caller's
    assert len(span) == 16


def test_schedules_run_while_it_serves(tmp_path: Path) -> None:
    world = World(tmp_path / "home")
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base)
        world.use(lambda session: session.intake.schedule(IntakeSchedule("prod", "fetch_incident")))
        with serving(world.home, "--no-scheduler"):
            time.sleep(1)
        [before] = world.use(lambda session: session.intake.schedules())
        assert before.state.last_run is None
        with serving(world.home):
            until = time.monotonic() + 15
            while not (records := world.use(lambda session: session.intake.read()).arrivals):
                assert time.monotonic() < until
                time.sleep(0.2)
    assert records[0].connection == "prod"


def test_metrics_tell_of_limits_health_and_intake(tmp_path: Path) -> None:
    from connector_host.model.token import Scope, Token

    world = World(tmp_path / "home")
    with pagerduty_sandbox() as sandbox:
        world.add(sandbox.base)
        world.use(lambda session: session.intake.schedule(IntakeSchedule("prod", "fetch_incident")))
        _, text = world.use(lambda session: session.tokens.add(Token("operator", (Scope.ADMIN,))))
        with serving(world.home) as base:
            client = httpx2.Client(
                base_url=base, headers={"Authorization": f"Bearer {text}"}, trust_env=False, timeout=30
            )
            assert client.post("/api/v1/connections/prod/test", json={}).json()["status"] == "Passed"
            until = time.monotonic() + 15
            while "intake_last_success_timestamp_seconds{" not in (told := client.get("/metrics").text):
                assert time.monotonic() < until, told
                time.sleep(0.2)
            assert client.get("/readyz").text == "ready\n"
            client.close()
    for line in (
        'connector_host_connection_up{connection="prod"} 1',
        'connector_host_limit_allowed{connection="prod",server="api"} 900',
        "connector_host_waited_seconds_total 0.000",
    ):
        assert line in told, told
    [new] = [line for line in told.splitlines() if line.startswith("connector_host_intake_new_records_total{")]
    assert int(new.rpartition(" ")[2]) > 0


def test_a_port_in_use_is_one_sentence(web: Web, tmp_path: Path) -> None:
    port = web.base.rpartition(":")[2]
    environment = {**os.environ, "CONNECTOR_HOST_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [PROGRAM, "serve", "--port", port], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert f"Error: Nothing can listen at 127.0.0.1:{port}: Address already in use." in done.stderr
    assert "Traceback" not in done.stderr
