"""The connection manager's command line: places, vaults, health, audit, many connections at once."""

import json
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.test_cli import CONNECTION, cli
from tests.openbao import OpenBao
from tests.world import API_KEY, INTEGRATION_KEY, Sandbox


def done(*arguments: str, code: int = 0, **environment: str) -> Any:
    """The JSON document of a command."""
    ran = cli(*arguments, "--output", "json", PD_KEY=API_KEY, **environment)
    assert ran.returncode == code, ran.stderr
    return json.loads(ran.stdout)


def add(sandbox: Sandbox, name: str, *more: str, code: int = 0) -> Any:
    settings = [f"--set={one}={sandbox.base}" for one in ("server_url", "event_url")]
    command = ["connections", "add", name, "--plugin", "pagerduty", *settings, "--secret", "api_key=env:PD_KEY"]
    return done(*command, *more, code=code)


@pytest.fixture
def placed(sandbox: Sandbox) -> Sandbox:
    """Two sites, and a connection at each."""
    done("tenants", "add", "us", "--master")
    done("tenants", "add", "acme")
    done("sites", "add", "hq")
    done("sites", "add", "shop", "--client")
    add(sandbox, "one", "--site", "hq", "--admin-user", "ann", "--tenant", "acme")
    add(sandbox, "two", "--site", "shop", "--allow-user", "zoe")
    return sandbox


def test_every_field_arrives(sandbox: Sandbox, placed: Sandbox) -> None:
    fields = ["--share-to-internal-sites", "--recipient-site", "hq", "--tenant", "acme", "--agent", "far"]
    people = ["--allow-user", "a", "--allow-group", "b", "--admin-user", "c", "--admin-group", "d", "--inactive"]
    check = ["--health-check-minutes", "5", "--health-check-failures", "2", "--health-check-mail", "a@example.com"]
    document = add(sandbox, "all", *fields, *people, *check, "--description", "All")
    jsonschema.validate(document, CONNECTION, cls=jsonschema.Draft202012Validator)
    assert document["health_check"] == {
        "interval_minutes": 5,
        "failures_before_mail": 2,
        "recipients": ["a@example.com"],
    }
    expected = {
        "shared_to_internal_sites": True, "recipient_site": "hq", "tenants": ["acme"], "agent": "far", "active": False,
        "allowed_users": ["a"], "allowed_groups": ["b"], "admin_users": ["c"], "admin_groups": ["d"], "description": "All",
    }  # fmt: skip
    assert {key: document[key] for key in expected} == expected
    taken = ["--no-share-to-internal-sites", "--recipient-site", "", "--tenant", "", "--agent", "", "--allow-user", ""]
    document = done("connections", "edit", "all", *taken, "--allow-group", "", "--health-check-minutes", "0")
    assert (document["tenants"], document["agent"], document["allowed_users"]) == ([], None, [])
    assert (document["shared_to_internal_sites"], document["health_check"]) == (False, None)


def test_acting_for_a_caller(placed: Sandbox) -> None:
    def names(acting: str) -> list[str]:
        return [one["name"] for one in done("--as", acting, "connections", "list")]

    assert names("user=ann,site=hq") == ["one"]
    assert names("user=zoe,site=shop") == ["two"]
    assert names("user=tom,site=shop") == []
    assert names("user=tom,group=x,group=y,tenant=us") == []
    ran = cli("--as", "user=tom,site=shop", "test-command", "pagerduty", "list-users", "--connection", "one")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "There is no connection 'one' that you may use." in ran.stderr
    ran = cli("--as", "user=bob,site=hq", "connections", "remove", "one", "--yes")
    assert (ran.returncode, "not change it" in ran.stderr) == (2, True)
    assert "takes user=NAME" in cli("--as", "bob", "connections", "list").stderr
    history = done("--as", "user=ann,site=hq", "test-command", "pagerduty", "list-users", "--connection", "one")
    assert done("history", "list")[0]["caller"] == "user ann at hq"
    assert history["status"] == "Passed"


def test_places(placed: Sandbox) -> None:
    assert done("sites", "list")[1] == {"name": "shop", "tenant": "us", "kind": "client"}
    assert done("tenants", "list") == [{"name": "acme", "master": False}, {"name": "us", "master": True}]
    ran = cli("sites", "remove", "hq")
    assert (ran.returncode, "still has connections" in ran.stderr) == (2, True)
    done("sites", "add", "lab", "--tenant", "acme")
    assert done("sites", "remove", "lab") == {"removed": "lab"}
    ran = cli("tenants", "remove", "acme")
    assert "connections are shared to it" in ran.stderr


def test_values_are_tested_before_they_are_saved(sandbox: Sandbox) -> None:
    sandbox.options["api_key"] = "another-key-than-ours"
    assert add(sandbox, "new", "--test", code=1)["status"] == "Failed"
    assert done("connections", "list") == []
    sandbox.options["api_key"] = API_KEY
    assert add(sandbox, "new", "--test-only")["status"] == "Passed"
    assert done("connections", "list") == []
    assert add(sandbox, "new", "--test")["name"] == "new"
    wrong = ["connections", "edit", "new", "--secret", "api_key=env:WRONG"]
    assert done(*wrong, "--test", code=1, WRONG="wrong-key-wrong-key")["status"] == "Failed"
    assert done("connections", "edit", "new", "--description", "x", "--test-only")["status"] == "Passed"
    shown = done("connections", "show", "new")
    assert (shown["version"], shown["secrets"]["api_key"]) == (1, "************bgRQ")


def test_many_at_once(placed: Sandbox, tmp_path: Path) -> None:
    assert done("connections", "edit-many", "--in-site", "hq", "--inactive", "--dry-run") == ["one"]
    assert done("connections", "edit-many", "--in-site", "hq", "--inactive") == [
        {"name": "one", "ok": True, "error": None}
    ]
    assert [one["name"] for one in done("connections", "list", "--state", "inactive")] == ["one"]
    assert [one["name"] for one in done("connections", "list", "--only-active")] == ["two"]
    outcome = done("connections", "edit-many", "--plugin", "pagerduty", "--set", "server_url=ftp://x", code=1)
    assert all("Server URL" in one["error"] for one in outcome)
    ran = cli("connections", "edit-many", "--set", "server_url=https://x.example")
    assert "say which with --plugin" in ran.stderr
    copied = done("connections", "copy", "one", "three", "--active", "--site", "shop", "--tenant", "")
    assert (copied["active"], copied["site"], copied["tenants"]) == (True, "shop", [])
    assert done("connections", "upgrade") == []
    assert done("connections", "remove", "three", "--yes") == {"removed": "three"}


def test_export_and_import(placed: Sandbox, tmp_path: Path) -> None:
    from tests.host.test_transfer import PRIVATE, PUBLIC

    (tmp_path / "public.pem").write_bytes(PUBLIC)
    (tmp_path / "private.pem").write_bytes(PRIVATE)
    file = str(tmp_path / "all.yaml")
    assert done("connections", "export", file, "--seal-to", str(tmp_path / "public.pem"))["connections"] == 2
    assert API_KEY not in Path(file).read_text()
    for name in ("one", "two"):
        done("connections", "remove", name, "--yes")
    outcomes = done("connections", "import", file, "--private-key", str(tmp_path / "private.pem"))
    assert [one["ok"] for one in outcomes] == [True, True]
    assert done("connections", "test", "one")["status"] == "Passed"
    ran = cli("connections", "import", file, "--private-key", str(tmp_path / "private.pem"))
    assert (ran.returncode, "0 of 2 imported" in ran.stderr) == (1, True)
    assert "Their secrets stayed here: one, two." in cli("connections", "export", str(tmp_path / "plain.yaml")).stderr
    assert "missing_secrets" in cli("connections", "export", "-", "--name", "one").stdout
    for wrong, words in (("/nowhere", "cannot be read"), (str(tmp_path / "public.pem"), "no export")):
        assert words in cli("connections", "import", wrong).stderr


def test_health(placed: Sandbox) -> None:
    done("connections", "edit", "one", "--health-check-minutes", "5")
    assert done("health", "run-due") == {"checked": 1, "passed": 1, "failed": 0, "undelivered": 0}
    one, two = done("health", "list")
    assert (one["state"], one["interval_minutes"], one["failures"]) == ("healthy", 5, 0)
    assert two["state"] == "untested"
    [run] = done("health", "history", "one")
    assert (run["caller"], run["status"]) == ("health check", "Passed")
    for arguments in (["health", "list"], ["health", "history", "one"], ["connections", "show", "one"], ["sites", "list"], ["tenants", "list"], ["vault", "list"], ["audit", "list"]):  # fmt: skip
        ran = cli(*arguments)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert len(ran.stdout.splitlines()) > 1 or arguments[0] == "vault"
    mind = cli("connections", "edit", "one", "--health-check-mail", "a@example.com").stderr
    assert "no e-mail goes out until the host manifest names a notifier" in mind


def test_audit(placed: Sandbox) -> None:
    assert [one["action"] for one in done("audit", "list", "--limit", "2")] == ["connection.added"] * 2
    verdict = done("audit", "verify")
    assert (verdict["intact"], verdict["records"], verdict["problems"]) == (True, 6, [])
    assert cli("audit", "verify", "--noted", verdict["head"]).returncode == 0
    other = verdict["head"].replace("6:", "5:")
    assert done("audit", "verify", "--noted", other, code=1)["intact"] is False
    assert "NUMBER:DIGEST" in cli("audit", "verify", "--noted", "x").stderr


def test_the_bundle_for_support(placed: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    assert done("connections", "diagnose", "one", "--file", str(file))["file"] == str(file)
    with zipfile.ZipFile(file) as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert API_KEY not in text
    assert INTEGRATION_KEY not in text
    assert '"connection.added"' in text
    assert "cannot be written" in cli("connections", "diagnose", "one", "--file", "/nowhere/x.zip").stderr


def test_a_key_from_the_vault(sandbox: Sandbox, tmp_path: Path) -> None:
    bao = OpenBao(tmp_path)
    try:
        bao.mount("secret", 2)
        bao.put("secret", "pagerduty", api_key=API_KEY)
        vault = ["connections", "add", "corp-vault", "--plugin", "hashicorp_vault", f"--set=server_url={bao.base}"]
        done(*vault, "--secret", "token=env:VAULT_TOKEN", VAULT_TOKEN=bao.root)
        assert done("vault", "list") == [{"name": "corp-vault", "plugin": "hashicorp_vault", "state": "untested"}]
        found = done("vault", "test", "corp-vault", "--path", "secret/pagerduty", "--field", "api_key")
        assert (found["status"], found["raw_data"]["value"]) == ("Passed", "************")
        settings = [f"--set={one}={sandbox.base}" for one in ("server_url", "event_url")]
        reference = "corp-vault:secret/pagerduty#api_key"
        done("connections", "add", "prod", "--plugin", "pagerduty", *settings, "--vault", f"api_key={reference}")
        sandbox.options["api_key"] = API_KEY
        assert done("test-command", "pagerduty", "list-users", "--connection", "prod")["status"] == "Passed"
        assert f"{reference}" in cli("connections", "show", "prod").stdout
        json_form = '{"vault": "corp-vault", "path": "secret/pagerduty", "field": "nothing"}'
        done("connections", "edit", "prod", "--vault", f"api_key={json_form}")
        failed = done("test-command", "pagerduty", "list-users", "--connection", "prod", code=1)
        assert "'nothing'" in failed["error"]["message"]
        for wrong in ("corp-vault", "corp-vault:x", ":x#y", '{"vault": 1', '{"volt": "x"}'):
            ran = cli("connections", "edit", "prod", "--vault", f"api_key={wrong}")
            assert (ran.returncode, "vault reference" in ran.stderr) == (2, True)
    finally:
        bao.kill()


def test_nothing_is_removed_or_replaced_where_nobody_can_be_asked(placed: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    done("connections", "export", str(file))
    for words in (["connections", "remove", "one"], ["connections", "import", str(file), "--replace"]):
        ran = cli(*words)
        assert ran.returncode == 2
        assert "give --yes" in ran.stderr
    assert done("connections", "list")
