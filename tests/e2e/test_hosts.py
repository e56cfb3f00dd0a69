"""The examples for real automation hosts, each run by the host's own package as the host would run it."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import EXAMPLES, GLUE, glue, python_with
from tests.openbao import free_port
from tests.world import API_KEY, INTEGRATION_KEY, SENDER, Sandbox

PARTLY = {"user_ids": ["PU00001", "PNOBODY"]}
NOBODY = {"user_ids": ["PNOBODY"]}


@pytest.fixture
def values(sandbox: Sandbox) -> dict[str, str]:
    where = {"server_url": sandbox.base, "event_url": sandbox.base, "default_from": SENDER}
    return {**where, "api_key": API_KEY, "integration_key": INTEGRATION_KEY}


def told(command: list[str], home: Path, given: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    everything = {**plain, "CONNECTOR_HOST_HOME": str(home / "host"), "HOME": str(home), **environment}
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=240, env=everything, cwd=home)
    for secret in (API_KEY, INTEGRATION_KEY):
        assert secret not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_an_example_is_short(file: Path) -> None:
    assert glue(file) <= GLUE


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [(PARTLY, 0, "Partially Successful"), (NOBODY, 1, "User ID not found"), ({"user_id": ["PU00001"]}, 1, "user_ids")],
)
def test_cortex(tmp_path: Path, values: dict[str, str], data: dict[str, Any], code: int, words: str) -> None:
    python = python_with("cortexutils")
    (tmp_path / "input").mkdir()
    config = {**values, "command": "get_user_contact_methods"}
    job = {"dataType": "thehive:case", "data": data, "config": config}
    (tmp_path / "input" / "input.json").write_text(json.dumps(job))
    done = told([python, str(EXAMPLES / "cortex_responder.py"), str(tmp_path)], tmp_path)
    assert done.returncode == code, done.stderr
    written = (tmp_path / "output" / "output.json").read_text()
    assert API_KEY not in written
    output = json.loads(written)
    assert output["success"] is (code == 0)
    assert words in (output["full"]["status"] if output["success"] else output["errorMessage"])


DAG = """
from airflow.sdk import DAG
from airflow_operator import ConnectorOperator
with DAG("contacts") as dag:
    ConnectorOperator(
        task_id="methods", plugin="pagerduty", command="get_user_contact_methods", conn_id="pagerduty", inputs=%r)
if __name__ == "__main__":
    run = dag.test()
    [task] = run.get_task_instances()
    print("ENDED", run.state, task.xcom_pull("methods"))
"""


@pytest.mark.parametrize(("inputs", "words"), [(PARTLY, "Partially Successful"), (NOBODY, "failed None")])
def test_airflow(tmp_path: Path, values: dict[str, str], inputs: dict[str, Any], words: str) -> None:
    python = python_with("airflow")
    secret = {name: values.pop(name) for name in ("api_key",)}["api_key"]
    connection = {"conn_type": "generic", "password": secret, "extra": values}
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "contacts.py").write_text(DAG % inputs)
    around = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_PAGERDUTY": json.dumps(connection),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "PYTHONPATH": str(EXAMPLES),
    }
    assert told([python, "-m", "airflow", "db", "migrate"], tmp_path, **around).returncode == 0
    done = told([python, str(dags / "contacts.py")], tmp_path, **around)
    [ended] = [line for line in done.stdout.splitlines() if line.startswith("ENDED")]
    assert words in ended, done.stderr


@pytest.mark.parametrize(
    ("command", "inputs", "code", "words"),
    [
        ("get_user_contact_methods", '{"user_ids": "[\\"PU00001\\", \\"PNOBODY\\"]"}', 0, '"changed": false'),
        ("get_user_contact_methods", json.dumps(NOBODY), 2, "PNOBODY"),
        ("create_event", '{"summary": "disk", "severity": "info", "source": "ansible"}', 0, '"changed": true'),
    ],
)
def test_ansible(tmp_path: Path, values: dict[str, str], command: str, inputs: str, code: int, words: str) -> None:
    python = python_with("ansible")
    (tmp_path / "library").mkdir()
    shutil.copy(EXAMPLES / "ansible_module.py", tmp_path / "library" / "connector.py")
    task = {"plugin": "pagerduty", "command": command, "values": values, "inputs": json.loads(inputs)}
    (tmp_path / "task.json").write_text(json.dumps(task))
    program = [
        str(Path(python).parent / "ansible"),
        "localhost",
        "-c",
        "local",
        "-M",
        str(tmp_path / "library"),
        "-m",
        "connector",
    ]
    more = ["-e", f"ansible_python_interpreter={python}", "-a", json.dumps(task)]
    done = told([*program, *more], tmp_path, ANSIBLE_NOCOLOR="1", LC_ALL="C.UTF-8")
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stdout


FLOW = """
import sys
from prefect.blocks.system import Secret
from prefect.testing.utilities import prefect_test_harness
from prefect_flow import contact_methods
with prefect_test_harness(server_startup_timeout=120):
    Secret(value=%r).save("pagerduty")
    try:
        print("ENDED", contact_methods(%r)["status"])
    except Exception as error:
        print("ENDED", type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("ids", "words"), [(PARTLY["user_ids"], "Partially Successful"), (NOBODY["user_ids"], "CommandFailed")]
)
def test_prefect(tmp_path: Path, values: dict[str, str], ids: list[str], words: str) -> None:
    python = python_with("prefect")
    (tmp_path / "flow.py").write_text(FLOW % (values, ids))
    done = told([python, "flow.py"], tmp_path, PYTHONPATH=str(EXAMPLES), PREFECT_HOME=str(tmp_path / "prefect"))
    [ended] = [line for line in done.stdout.splitlines() if line.startswith("ENDED")]
    assert words in ended, done.stderr
    assert "AwaitingRetry" not in done.stderr, "what is not there is not there the second time either"


@contextmanager
def misp_modules(python: str, folder: Path, home: Path) -> Iterator[str]:
    port = free_port()
    program = [python, "-m", "misp_modules", "-l", "127.0.0.1", "-p", str(port), "-c", str(folder)]
    around = {**os.environ, "CONNECTOR_HOST_HOME": str(home), "HOME": str(home)}
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=around) as server:
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def test_misp(tmp_path: Path, values: dict[str, str]) -> None:
    python = python_with("misp_modules")
    (tmp_path / "modules" / "action_mod").mkdir(parents=True)
    shutil.copy(EXAMPLES / "misp_module.py", tmp_path / "modules" / "action_mod" / "pagerduty_event.py")
    with misp_modules(python, tmp_path / "modules", tmp_path) as base:
        for severity, words in (("critical", "data"), ("odd", "error")):
            params = {**values, "severity": severity}
            del params["default_from"]
            body = {"module": "pagerduty_event", "params": params, "data": {"info": "Phishing against the board"}}
            request = urllib.request.Request(f"{base}/query", json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read().decode()
            assert list(json.loads(text)) == [words], text
            assert INTEGRATION_KEY not in text


@pytest.mark.parametrize(("inputs", "good", "words"), [(PARTLY, True, "PNOBODY"), (NOBODY, False, "User ID not found")])
def test_insightconnect(tmp_path: Path, values: dict[str, str], inputs: Any, good: bool, words: str) -> None:
    python = python_with("insightconnect_plugin_runtime")
    given = {"command": "get_user_contact_methods", "inputs": inputs}
    body = {"action": "run", "meta": {}, "input": given, "connection": values}
    message = json.dumps({"version": "v1", "type": "action_start", "body": body})
    done = told([python, str(EXAMPLES / "insightconnect_plugin.py"), "run"], tmp_path, message)
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert answer["body"]["status"] == ("ok" if good else "error"), done.stderr
    assert words in json.dumps(answer)


def test_stackstorm_by_its_convention(tmp_path: Path, values: dict[str, str]) -> None:
    """What st2's Python runner does: the class by its configuration, `run` by the action's parameters, a pair back."""
    python = python_with("connector_host")
    program = (
        "import json, sys, stackstorm_action as action\n"
        "config, runs = json.load(sys.stdin)\n"
        "made = action.RunCommand(config=config, action_service=None)\n"
        "print(json.dumps([made.run(**one) for one in runs]))\n"
    )
    runs = [{"command": "get_user_contact_methods", "user_ids": ids} for ids in ('["PU00001", "PNOBODY"]', "PNOBODY")]
    done = told([python, "-c", program], tmp_path, json.dumps([values, runs]), PYTHONPATH=str(EXAMPLES))
    assert done.returncode == 0, done.stderr
    ended = [(good, document["status"]) for good, document in json.loads(done.stdout)]
    assert ended == [(True, "Partially Successful"), (False, "Failed")]
