"""The main job: one command shows it all, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path


def test_demo_runs_all_ten_commands_in_an_empty_folder(tmp_path: Path) -> None:
    empty, temporary = tmp_path / "empty", tmp_path / "temporary"
    empty.mkdir()
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "HOME": str(empty), "COLUMNS": "100"}
    environment.pop("CONNECTOR_HOST_HOME")
    done = subprocess.run(
        [sys.executable, "-m", "connector_host", "demo"],
        cwd=empty,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    ends = dict(line.rsplit("  ", 1) for line in done.stdout.splitlines()[-11:])
    statuses = {title.strip(): status.strip() for title, status in ends.items()}
    assert statuses == {
        "Test Connection": "Passed",
        "List Users": "Passed",
        "Get User Contact Methods": "Partially Successful",
        "Get All Schedules": "Passed",
        "Create Event": "Passed",
        "Acknowledge Event": "Passed",
        "Resolve Event": "Passed",
        "Fetch Incident": "Passed",
        "Get Incident Alerts": "Passed",
        "Resolve Incidents": "Partially Successful",
        "Create Event, with an input that is wrong": "Failed",
    }
    assert (
        "Create Event failed. Status Code: 2001. Message: The value for parameter (Custom Details) is invalid."
        in done.stdout
    )
    assert "u+DoDemoKeyDemoKbgRQ" not in done.stdout + done.stderr
    assert list(empty.iterdir()) == []
    assert list(temporary.iterdir()) == []


def test_demo_serve_keeps_the_sandbox_until_stopped(tmp_path: Path) -> None:
    import signal

    environment = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-m", "connector_host", "demo", "--serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stderr is not None
        home = next(line.split("=")[1].strip() for line in demo.stderr if "CONNECTOR_HOST_HOME=" in line)
        arguments = ["test-command", "pagerduty", "list-users", "--connection", "demo", "--output", "json"]
        run = subprocess.run(
            [sys.executable, "-m", "connector_host", *arguments],
            env={**environment, "CONNECTOR_HOST_HOME": home},
            capture_output=True,
            timeout=60,
        )
        demo.send_signal(signal.SIGINT)
        demo.stderr.read()
        assert run.returncode == 0
        assert demo.wait(timeout=20) == 0
    assert list(tmp_path.iterdir()) == []
