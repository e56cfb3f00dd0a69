"""HashiCorp Vault and OpenBao, against the real OpenBao server: engines, logins, and every way to be refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_host.model.connection import Change, VaultReference
from connector_host.model.result import Result, Status
from tests.certificates import write_certificate
from tests.openbao import OpenBao
from tests.world import FastClock, World

READ = 'path "secret/data/soar/*" { capabilities = ["read"] }\npath "old/*" { capabilities = ["read"] }'


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory, files: tuple[Path, Path]) -> Iterator[OpenBao]:
    server = OpenBao(tmp_path_factory.mktemp("bao"), *files)
    server.mount("secret", 2)
    server.mount("old", 1)
    server.mount("deep/er", 2)
    server.put("secret", "soar/pagerduty", api_key="u+DoFromTheVault/bgRQ", note="n")
    server.put("old", "pagerduty", 1, api_key="from-version-one-of-kv")
    server.put("deep/er", "a/b", api_key="from-a-nested-mount-point")
    yield server
    server.kill()


@pytest.fixture
def vault(world: World, bao: OpenBao) -> World:
    return add_vault(world, bao, secrets={"token": bao.token(READ)})


def add_vault(world: World, bao: OpenBao, name: str = "corp-vault", **change: Any) -> World:
    parameters = {"server_url": bao.base, **change.pop("parameters", {})}
    secrets = change.pop("secrets", {})
    world.use(lambda host: host.connections.add(name, "hashicorp_vault", Change(change, parameters, secrets)))
    return world


def look_up(world: World, path: str, field: str = "api_key", name: str = "corp-vault") -> Result:
    result: Result = world.use(lambda host: host.test_look_up(VaultReference(name, path, field)))
    return result


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("secret/soar/pagerduty", "************"),
        ("/secret/soar/pagerduty/", "************"),
        ("old/pagerduty", "************"),
    ],
)
def test_both_engines_are_read_and_the_value_is_masked(vault: World, path: str, shown: str) -> None:
    result = look_up(vault, path)
    assert (result.status, result.raw_data["value"]) == (Status.PASSED, shown), result.errors


def test_a_mount_of_several_parts(world: World, bao: OpenBao) -> None:
    add_vault(world, bao, secrets={"token": bao.root})
    assert look_up(world, "deep/er/a/b").raw_data["value"] == "************"


def test_the_version_can_be_said(world: World, bao: OpenBao) -> None:
    only = 'path "secret/data/soar/pagerduty" { capabilities = ["read"] }'
    add_vault(world, bao, secrets={"token": bao.token(only)}, parameters={"kv_version": "2"})
    assert look_up(world, "secret/soar/pagerduty").status is Status.PASSED


@pytest.mark.parametrize(
    ("path", "field", "code", "words"),
    [
        ("secret/soar/nothing", "api_key", "404", "There is no secret at 'secret/soar/nothing'"),
        ("secret/soar/pagerduty", "apikey", "404", "has no field 'apikey'"),
        ("secret/other", "api_key", "403", "permission denied"),
        ("nowhere/other", "api_key", "403", "no such mount"),
        ("secret", "api_key", "400", "is no secret's path"),
        ("secret/../sys", "api_key", "400", "cannot be part of a path"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_told(vault: World, path: str, field: str, code: str, words: str) -> None:
    [entry] = look_up(vault, path, field).errors
    assert words in entry.message
    assert entry.status_code == code


def test_a_deleted_version_is_told(vault: World, bao: OpenBao) -> None:
    bao.put("secret", "soar/gone", api_key="this-one-was-deleted")
    bao.ask("DELETE", "secret/data/soar/gone")
    [entry] = look_up(vault, "secret/soar/gone").errors
    assert "newest version was deleted" in entry.message


def test_a_token_that_expired_is_told_apart_from_a_missing_right(world: World, bao: OpenBao) -> None:
    token = bao.token(READ)
    add_vault(world, bao, secrets={"token": token})
    bao.ask("POST", "auth/token/revoke", {"token": token})
    [entry] = look_up(world, "secret/soar/pagerduty").errors
    assert entry.message == "The connection's token expired, or was revoked."
    assert (entry.kind, entry.assistance) == ("unauthorized", "Give the connection a new token.")
    assert world.use(lambda host: host.connections.show("corp-vault"))["state"] == "needs attention"


def test_test_connection_shows_the_login_and_not_the_token(vault: World, bao: OpenBao) -> None:
    result = vault.use(lambda host: host.test("corp-vault"))
    assert (result.status, result.raw_data["login"]) == (Status.PASSED, "token")
    assert "default" in result.raw_data["policies"]
    add_vault(vault, bao, "bad", secrets={"token": "no-such-token-at-all"})
    assert vault.use(lambda host: host.test("bad")).status is Status.FAILED


@pytest.fixture
def role(bao: OpenBao) -> tuple[str, str]:
    """A role ID and a secret ID whose tokens live for a minute."""
    if "approle/" not in bao.ask("GET", "sys/auth"):
        bao.ask("POST", "sys/auth/approle", {"type": "approle"})
    bao.ask("PUT", "sys/policies/acl/soar", {"policy": READ})
    bao.ask("POST", "auth/approle/role/soar", {"token_policies": ["soar"], "token_ttl": 60, "token_max_ttl": 3600})
    role_id = bao.ask("GET", "auth/approle/role/soar/role-id")["data"]["role_id"]
    return role_id, bao.ask("POST", "auth/approle/role/soar/secret-id", {})["data"]["secret_id"]


def add_role(world: World, bao: OpenBao, role: tuple[str, str]) -> World:
    parameters = {"auth_method": "approle", "role_id": role[0]}
    return add_vault(world, bao, parameters=parameters, secrets={"secret_id": role[1]})


def test_approle_logs_in_once_and_renews_in_time(
    world: World, clock: FastClock, bao: OpenBao, role: tuple[str, str]
) -> None:
    add_role(world, bao, role)
    before = set(accessors(bao))

    async def work(host: Any) -> list[Status]:
        reference = VaultReference("corp-vault", "secret/soar/pagerduty", "api_key")
        statuses = [(await host.test_look_up(reference)).status for _ in range(3)]
        await clock.sleep(45)
        return [*statuses, (await host.test_look_up(reference)).status]

    assert set(world.use(work)) == {Status.PASSED}
    [made] = set(accessors(bao)) - before
    facts = bao.ask("POST", "auth/token/lookup-accessor", {"accessor": made})["data"]
    assert facts["path"] == "auth/approle/login"
    assert facts["last_renewal_time"] >= facts["creation_time"]


def accessors(bao: OpenBao) -> list[str]:
    found: list[str] = bao.ask("LIST", "auth/token/accessors")["data"]["keys"]
    return found


def test_a_login_that_was_revoked_is_made_anew(world: World, bao: OpenBao, role: tuple[str, str]) -> None:
    add_role(world, bao, role)
    before = set(accessors(bao))

    async def work(host: Any) -> list[Status]:
        reference = VaultReference("corp-vault", "secret/soar/pagerduty", "api_key")
        first = (await host.test_look_up(reference)).status
        for accessor in set(accessors(bao)) - before:
            bao.ask("POST", "auth/token/revoke-accessor", {"accessor": accessor})
        return [first, (await host.test_look_up(reference)).status]

    assert world.use(work) == [Status.PASSED, Status.PASSED]


def test_a_refused_login_is_told(world: World, bao: OpenBao, role: tuple[str, str]) -> None:
    add_role(world, bao, (role[0], "no-such-secret-id-at-all"))
    [entry] = look_up(world, "secret/soar/pagerduty").errors
    assert (entry.message, entry.kind) == ("The vault refuses the login by approle.", "unauthorized")


def test_a_client_certificate_logs_in_and_a_private_authority_is_trusted(
    world: World, bao: OpenBao, files: tuple[Path, Path]
) -> None:
    certificate, key = (file.read_text() for file in files)
    if "cert/" not in bao.ask("GET", "sys/auth"):
        bao.ask("POST", "sys/auth/cert", {"type": "cert"})
    bao.ask("PUT", "sys/policies/acl/soar", {"policy": READ})
    bao.ask("POST", "auth/cert/certs/soar", {"certificate": certificate, "token_policies": ["soar"]})
    parameters = {"server_url": bao.tls_base, "auth_method": "cert", "client_certificate": certificate}
    trusting = {**parameters, "ca_bundle": certificate}
    add_vault(world, bao, parameters=trusting, secrets={"client_key": key})
    result = look_up(world, "secret/soar/pagerduty")
    assert (result.status, result.raw_data["value"]) == (Status.PASSED, "************"), result.errors
    add_vault(world, bao, "untrusting", parameters=parameters, secrets={"client_key": key})
    [entry] = look_up(world, "secret/soar/pagerduty", name="untrusting").errors
    assert "No trusted TLS connection" in entry.message
    add_vault(world, bao, "keyless", parameters=trusting)
    [entry] = look_up(world, "secret/soar/pagerduty", name="keyless").errors
    assert "belong together" in entry.message


def test_a_sealed_vault_is_told(tmp_path: Path, world: World) -> None:
    bao = OpenBao(tmp_path)
    try:
        add_vault(world, bao, secrets={"token": bao.root})
        bao.seal()
        [entry] = look_up(world, "secret/soar/pagerduty").errors
        assert (entry.message, entry.status_code) == ("Vault is sealed.", "503")
        assert "Unseal it" in entry.assistance
    finally:
        bao.kill()


def test_a_namespace_is_its_own_world(world: World, bao: OpenBao) -> None:
    bao.ask("POST", "sys/namespaces/team", {})
    inside = {"X-Vault-Namespace": "team"}
    bao.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "1"}}, headers=inside)
    bao.ask("POST", "secret/soar", {"api_key": "from-the-namespace-of-the-team"}, headers=inside)
    add_vault(world, bao, secrets={"token": bao.root}, parameters={"namespace": "team"})
    result = look_up(world, "secret/soar")
    assert (result.status, result.raw_data["value"]) == (Status.PASSED, "************"), result.errors
    add_vault(world, bao, "outside", secrets={"token": bao.root})
    assert look_up(world, "secret/soar", name="outside").status is Status.FAILED


@pytest.mark.parametrize("root", [True, False])
def test_a_path_with_data_in_it_is_explained(world: World, bao: OpenBao, root: bool) -> None:
    """The engine's own address has it; the vault's command line, and this host, add it by themselves."""
    add_vault(world, bao, secrets={"token": bao.root if root else bao.token(READ)}, parameters={"kv_version": "2"})
    [entry] = look_up(world, "secret/data/soar/pagerduty").errors
    assert entry.status_code == ("404" if root else "403")
    assert entry.message == "There is no secret at 'secret/data/soar/pagerduty' that the token may read."
    assert "Leave 'data/' out of the path" in entry.assistance
