"""The master key in OpenBao's transit engine: it seals, opens, rotates and retires there, and never leaves it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector_host.model.errors import ConnectorHostError, KeyUnknown
from connector_host.model.result import Status
from tests.openbao import OpenBao
from tests.world import FastClock, Sandbox, World


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    server = OpenBao(tmp_path_factory.mktemp("bao"))
    server.ask("POST", "sys/mounts/transit", {"type": "transit"})
    yield server
    server.kill()


@pytest.fixture
def prod(tmp_path: Path, clock: FastClock, bao: OpenBao, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("CONNECTOR_HOST_TRANSIT_TOKEN", bao.root)
    key = f"transit:{bao.base}/transit/keys/{tmp_path.name}"
    world = World(tmp_path / "home", clock=clock, key=key)
    world.add(sandbox.base)
    return world


def test_secrets_open_through_the_key_service_alone(prod: World, bao: OpenBao) -> None:
    assert prod.run("list_users").status is Status.PASSED
    assert not (prod.home / "master.key").exists()


def test_rotation_and_retiring(prod: World, bao: OpenBao, tmp_path: Path) -> None:
    with sqlite3.connect(prod.home / "connector-host.db") as database:
        [(old, wrapped)] = database.execute("select master_key_id, wrapped from data_key").fetchall()
    database.close()
    assert prod.use(lambda host: host.keys.rotate()) == 1
    prod.use(lambda host: host.keys.retire())
    assert prod.run("list_users").status is Status.PASSED
    facts = bao.ask("GET", f"transit/keys/{tmp_path.name}")["data"]
    assert (facts["latest_version"], facts["min_decryption_version"]) == (2, 2)
    with sqlite3.connect(prod.home / "connector-host.db") as database:
        database.execute("update data_key set master_key_id = ?, wrapped = ?", (old, wrapped))
    database.close()
    [entry] = prod.run("list_users").errors
    assert "does not open versions this old" in entry.message


def test_a_wrapped_key_opens_in_its_place_only(prod: World, sandbox: Sandbox) -> None:
    prod.add(sandbox.base, "twin")
    with sqlite3.connect(prod.home / "connector-host.db") as database:
        database.execute("update data_key set wrapped = (select wrapped from data_key order by wrapped limit 1)")
    database.close()
    twin = prod.use(lambda host: host.run("pagerduty", "list_users", "twin"))
    results = [prod.run("list_users"), twin]
    assert sorted(result.status for result in results) == [Status.FAILED, Status.PASSED]
    [entry] = next(result for result in results if result.errors).errors
    assert "belongs to another connection" in entry.message


def test_its_refusals_are_told(
    prod: World, bao: OpenBao, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_HOST_TRANSIT_TOKEN", "no-such-token")
    [entry] = prod.run("list_users").errors
    assert "refuses the token" in entry.message
    monkeypatch.delenv("CONNECTOR_HOST_TRANSIT_TOKEN")
    assert "CONNECTOR_HOST_TRANSIT_TOKEN" in prod.run("list_users").errors[0].message
    (tmp_path / "token").write_text(f"{bao.root}\n")
    monkeypatch.setenv("CONNECTOR_HOST_TRANSIT_TOKEN_FILE", str(tmp_path / "token"))
    assert prod.run("list_users").status is Status.PASSED
    other = World(prod.home, key=f"transit:{bao.base}/transit/keys/another-key")
    assert "sealed under the master key" in other.run("list_users").errors[0].message
    with pytest.raises(KeyUnknown, match="not those of this store"):
        other.add(sandbox.base, "fresh")
    gone = World(prod.home, key=prod.configuration.key.replace(str(bao.port), "1"))  # type: ignore[union-attr]
    assert "cannot be reached" in gone.run("list_users").errors[0].message


@pytest.mark.parametrize("key", ["transit:nonsense", "transit:http://bao.example.com/transit/keys/x", "transit:"])
def test_a_wrong_address_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConnectorHostError, match="key provider"):
        World(tmp_path, key=key).use(lambda host: host.connections.list())
