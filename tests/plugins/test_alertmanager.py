"""Prometheus Alertmanager, as Debian has it, sends its alerts to PagerDuty's stand-in."""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.world import INTEGRATION_KEY, pagerduty_sandbox

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.skipif(PROGRAM is None, reason="needs Prometheus Alertmanager (Debian: prometheus-alertmanager)")
def test_alertmanager_opens_and_resolves_an_incident(tmp_path: Path) -> None:
    port = free_port()
    with pagerduty_sandbox(incidents=0) as sandbox:
        receiver = {"routing_key": INTEGRATION_KEY, "url": f"{sandbox.base}/v2/enqueue", "send_resolved": True}
        route = {"receiver": "pd", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
        receivers = [{"name": "pd", "pagerduty_configs": [receiver]}]
        (tmp_path / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": receivers}))
        files = [f"--config.file={tmp_path / 'alertmanager.yml'}", f"--storage.path={tmp_path / 'data'}"]
        command = [str(PROGRAM), *files, f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
            try:
                alert: dict[str, Any] = {"labels": {"alertname": "DiskFull", "severity": "critical"}}
                post(port, alert)
                until(lambda: len(sandbox.account.incidents) == 1)
                [incident] = sandbox.account.incidents.values()
                assert "DiskFull" in incident.data["title"]
                ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                post(port, {**alert, "endsAt": ended})
                until(lambda: incident.data["status"] == "resolved")
            finally:
                program.terminate()


def post(port: int, alert: Any) -> None:
    def sent() -> bool:
        try:
            return httpx2.post(f"http://127.0.0.1:{port}/api/v2/alerts", json=[alert]).status_code == 200
        except httpx2.TransportError:
            return False  # it has not started yet

    until(sent)


def until(holds: Any) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.1)
