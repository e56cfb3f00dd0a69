"""From an empty folder to a tested plugin: what `plugins new` writes, how long it takes, and what it can do."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connector_host.manifests.strict_yaml import read_yaml
from tests.world import SHARED

DOCUMENT = SHARED / "pagerduty" / "rest-openapi.json"


def run(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CONNECTOR_HOST_HOME": str(folder / "home")}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_an_empty_folder_becomes_a_working_plugin(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = run(
        tmp_path,
        "connector-host plugins new acme && connector-host plugins test acme --grade platinum && "
        "connector-host test-command acme get-ticket --sandbox --ticket-ids T1 --output json",
    )
    took = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["status"], result["key_fields"]) == ("Passed", {"TicketIDs": ["T1"]})
    files = sorted((tmp_path / "acme").iterdir())
    assert [file.name for file in files] == ["__init__.py", "manifest.yaml", "pyproject.toml", "test_acme.py"]
    assert sum(len(file.read_text("utf-8").splitlines()) for file in files) <= 120
    assert (
        (tmp_path / "acme" / "manifest.yaml").read_text("utf-8").startswith("# yaml-language-server: $schema=file://")
    )
    assert took < 20, "measured at about 3 seconds; this only guards against something quite wrong"


def test_its_own_tests_are_green(tmp_path: Path) -> None:
    done = run(tmp_path, "connector-host plugins new acme --no-link && python -m pytest -q acme -p no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_a_sandbox_tells_of_what_it_does_not_know(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "connector-host plugins new acme >/dev/null; "
        'connector-host test-command acme get-ticket --sandbox --ticket-ids \'["T1", "T7"]\' --output json',
    )
    assert done.returncode == 3
    [entry] = json.loads(done.stdout)["error"]["entries"]
    assert (entry["item"], entry["message"]) == ("T7", "No sample answers GET /tickets/T7.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("plugins new 9lives", "cannot be a plugin's id"),
        ("plugins new pagerduty", "There is a plugin 'pagerduty' already."),
        ("plugins new acme --folder full", "is there already, and not empty"),
        ("plugins new acme --from-openapi nowhere.json#x", "cannot be read"),
        ("plugins new acme --from-openapi full/none.json#x", "is no OpenAPI 3 document"),
        ("plugins new acme --from-openapi full/api.json#getTickets", "Did you mean 'getTicket'?"),
        ("plugins new acme --from-openapi full/api.json", "There are: getTicket."),
        ("plugins unlink full", "is not linked"),
        ("test-command pagerduty list-users", "Give --connection NAME, or --sandbox"),
        ("test-command pagerduty list-users --sandbox --connection x", "Give --connection NAME, or --sandbox"),
        ("plugins test nowhere", "There is no plugin 'nowhere'"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, arguments: str, words: str) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "none.json").write_text('{"swagger": "2.0"}')
    (full / "api.json").write_text('{"openapi": "3.0.0", "paths": {"/t": {"get": {"operationId": "getTicket"}}}}')
    done = run(tmp_path, f"connector-host {arguments}")
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "acme").exists()


@pytest.mark.skipif(not DOCUMENT.exists(), reason="PagerDuty's OpenAPI document is not here")
def test_pagerdutys_own_document_becomes_a_plugin(tmp_path: Path) -> None:
    operations = "createIncident,listIncidents,mergeIncidents,deleteUser,listScheduleOverrides,createMaintenanceWindow"
    done = run(
        tmp_path,
        f"connector-host plugins new pd --no-link --from-openapi '{DOCUMENT}#{operations}' && "
        "connector-host plugins validate pd/ && connector-host plugins test pd/ --grade gold",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    value = read_yaml(tmp_path / "pd" / "manifest.yaml").value
    assert list(value["commands"]) == [
        "create_incident", "list_incidents", "merge_incidents", "delete_user", "list_schedule_overrides",
        "create_maintenance_window", "test_connection",
    ]  # fmt: skip
    assert value["servers"]["api"]["auth"] == {
        "type": "header",
        "name": "Authorization",
        "value": "Token token={$.connection.api_key}",
    }
    listing = value["commands"]["list_incidents"]
    assert (listing["request"]["collect"], listing["request"]["paging"]["style"]) == ("incidents", "offset")
    assert value["commands"]["create_incident"]["input"]["required"] == ["from", "title", "service"]
    assert value["commands"]["test_connection"]["request"]["path"] == "/abilities"


@pytest.mark.parametrize(
    ("code", "valid", "words"),
    [
        ("import no_such_module", False, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("OPTIONS = {}", False, "has no attribute 'build'"),
        ("OPTIONS = 5\ndef build(): ...", True, "'int' object is not iterable"),
        ("OPTIONS = {}\ndef build(**options): raise SystemExit('the whole host')", True, "SystemExit: the whole host"),
        ("OPTIONS = {}\ndef build(**options): return 5", True, "build() gave 5, which is no ASGI app"),
        ("def build(:", False, "SyntaxError"),
    ],
)
def test_a_sandbox_that_fails_is_told(tmp_path: Path, code: str, valid: bool, words: str) -> None:
    run(tmp_path, "connector-host plugins new acme")
    file = tmp_path / "acme" / "manifest.yaml"
    file.write_text(file.read_text("utf-8").replace("description:", "sandbox: sandbox.py\ndescription:", 1), "utf-8")
    (tmp_path / "acme" / "sandbox.py").write_text(code)
    assert (run(tmp_path, "connector-host plugins validate acme").returncode == 0) is valid
    for command in ("sandbox acme", "test-command acme get-ticket --sandbox --ticket-ids T1"):
        done = run(tmp_path, f"connector-host {command}")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert words in done.stderr or not valid


def test_linking_twice_is_linking_once(tmp_path: Path) -> None:
    listed = "connector-host plugins list --output json"
    done = run(tmp_path, f"connector-host plugins new acme && connector-host plugins link acme && {listed}")
    rows = [row for row in json.loads(done.stdout.splitlines()[-1]) if row["id"] == "acme"]
    assert [row["state"] for row in rows] == ["ready"]
    done = run(tmp_path, f"connector-host plugins unlink acme && {listed}")
    assert not [row for row in json.loads(done.stdout.splitlines()[-1]) if row["id"] == "acme"]


PETS = Path(__file__).parent / "pets.yaml"
TAKEN = "listPets,addPet,putPhoto,delete_pets_petId_chip,search,history,all,mood"


def test_what_other_documents_have_becomes_what_a_manifest_can_say(tmp_path: Path) -> None:
    made = f"connector-host plugins new pets --from-openapi '{PETS}#{TAKEN}'"
    done = run(
        tmp_path, f"{made} && connector-host plugins validate pets && connector-host plugins test pets --grade gold"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    file = tmp_path / "pets" / "manifest.yaml"
    assert "# Left out: the cookie parameter 'session' of listPets." in file.read_text("utf-8")
    value = read_yaml(file).value
    properties, commands = value["connection"]["properties"], value["commands"]
    assert properties["server_url"]["default"] == "https://eu.pets.example/api/v3"
    assert value["servers"]["login"] == {"url": "$.connection.login_url"}
    auth = value["servers"]["api"]["auth"]
    assert (auth["type"], auth["server"], auth["path"], auth["scope"]) == ("oauth2", "login", "/oauth/token", "read")
    requests = {name: command["request"] for name, command in commands.items()}
    assert requests["add_pet"]["form"]["name"] == "$.input.name"
    assert requests["put_photo"]["multipart"]["photo"] == "$.input.photo"
    assert commands["put_photo"]["input"]["properties"]["photo"]["format"] == "file"
    assert requests["mood"]["headers"] == {"Content-Type": "application/merge-patch+json"}
    assert requests["list_pets"]["query"]["limit"] == "$.input.limit"
    assert "collect" not in requests["list_pets"], "a list whose end nothing tells is not called whole"
    assert requests["history"]["paging"] == {
        "style": "page", "position_parameter": "pageNumber", "pages": "$.meta.totalPages", "size": 50,
        "size_parameter": "pageSize",
    }  # fmt: skip
    assert commands["history"]["input"]["properties"]["kinds"]["type"] == "string"
    assert requests["all"]["paging"] == {"style": "link_header", "size": 100, "size_parameter": "per_page"}
    assert commands["all"]["key_fields"] == {"AllIDs": "$.records[*].id"}
    assert commands["delete_pets_pet_id_chip"]["destructive"] is True


def test_a_cookie_shows_who_asks_and_names_keep_apart(tmp_path: Path) -> None:
    answer = {"responses": {"200": {"description": "ok"}}}
    where = [
        {"name": "petId", "in": place, "required": True, "schema": {"type": "string"}} for place in ("query", "path")
    ]
    document = {
        "openapi": "3.0.3",
        "components": {"securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "sid"}}},
        "paths": {"/pets/{petId}": {"get": {"operationId": "pet", "parameters": where, **answer}}},
    }
    (tmp_path / "api.json").write_text(json.dumps(document))
    done = run(
        tmp_path, "connector-host plugins new pets --from-openapi api.json#pet && connector-host plugins test pets"
    )
    assert "wrong" not in done.stderr
    value = read_yaml(tmp_path / "pets" / "manifest.yaml").value
    assert value["servers"]["api"]["auth"] == {
        "type": "header",
        "name": "Cookie",
        "value": "sid={$.connection.api_key}",
    }
    request = value["commands"]["pet"]["request"]
    assert (request["path"], request["query"]) == ("/pets/{$.input.pet_id}", {"petId": "$.input.query_pet_id"})
    value = read_yaml(tmp_path / "pets" / "manifest.yaml").value
    assert "test_connection" not in value["commands"], "each GET wants to know which pet"
    text = {"content": {"text/csv": {}}, "description": "ok"}
    document["paths"]["/me"] = {"get": {"operationId": "me", "responses": {"200": text}}}  # type: ignore[index]
    document["paths"]["/pets"] = {"get": {"operationId": "Pet", **answer}}  # type: ignore[index]
    (tmp_path / "api.json").write_text(json.dumps(document))
    done = run(tmp_path, "connector-host plugins new tested --from-openapi api.json#pet")
    tested = read_yaml(tmp_path / "tested" / "manifest.yaml").value
    assert tested["commands"]["test_connection"]["request"]["path"] == "/pets", "the other does not answer in JSON"
    done = run(tmp_path, "connector-host plugins new twice --from-openapi api.json#pet,Pet")
    assert "Two operations would be the command 'pet'" in done.stderr
    document["paths"]["/pets/{petId}"]["get"]["parameters"] = [{"$ref": "other.json#/pet"}]  # type: ignore[index]
    (tmp_path / "api.json").write_text(json.dumps(document))
    done = run(tmp_path, "connector-host plugins new more --from-openapi api.json#pet")
    assert "refers to other.json#/pet, which stands outside. Bundle it" in done.stderr


def test_a_file_of_such_a_plugin_goes_to_its_stand_in(tmp_path: Path) -> None:
    (tmp_path / "rex.png").write_bytes(b"\x89PNG")
    made = f"connector-host plugins new pets --from-openapi '{PETS}#putPhoto'"
    done = run(
        tmp_path,
        f"{made} && connector-host test-command pets put-photo --sandbox --pet-id 1 --photo rex.png --output json",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "Passed"


@pytest.mark.parametrize(
    ("operation", "words"), [("putChip", "sends application/xml"), ("report", "answers in text/csv")]
)
def test_an_operation_that_a_request_can_not_be_is_refused(tmp_path: Path, operation: str, words: str) -> None:
    done = run(tmp_path, f"connector-host plugins new pets --from-openapi '{PETS}#{operation}'")
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / "pets").exists()


def test_a_package_is_found_by_its_entry_point_without_running_it(tmp_path: Path) -> None:
    """The folder as a wheel lays it down: the package beside its metadata."""
    run(tmp_path, "connector-host plugins new acme --no-link")
    site = tmp_path / "site"
    (site / "connector_acme-0.1.0.dist-info").mkdir(parents=True)
    (tmp_path / "acme").rename(site / "connector_acme")
    (site / "connector_acme" / "__init__.py").write_text("raise SystemExit('imported')\n")
    facts = site / "connector_acme-0.1.0.dist-info"
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: connector-acme\nVersion: 0.1.0\n")
    (facts / "entry_points.txt").write_text(
        "[connector_host]\nacme = connector_acme\nbad = no_such_module\nworse = worse\nhooked = hooked\n"
    )
    (site / "worse.py").write_text("raise SystemExit('the whole host')\n")
    (site / "hooked.py").write_text(
        "from connector_host.ports.hookspecs import plug\n\n@plug\ndef connectors():\n    return 1 / 0\n"
    )
    done = run(tmp_path, f"PYTHONPATH={site} connector-host plugins list --output json")
    assert done.returncode == 0, done.stderr
    rows = {row["id"]: row for row in json.loads(done.stdout)}
    assert rows["acme"]["state"] == "ready"
    assert rows["pagerduty"]["state"] == "ready"
    assert "ModuleNotFoundError: No module named 'no_such_module'" in rows["bad"]["reason"]
    assert "SystemExit: the whole host" in rows["worse"]["reason"]
    assert "ZeroDivisionError" in rows["hooked"]["reason"]
    assert "hooked.py:5" in rows["hooked"]["reason"]
