"""Export and import: what travels, what stays, and what is refused; secrets are never in the clear on the way."""

import json
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from connector_host.model.connection import Change, HealthCheck, Selection, VaultReference
from connector_host.model.errors import WrongUse
from connector_host.model.result import Status
from tests.world import API_KEY, INTEGRATION_KEY, Sandbox, World


def pair() -> tuple[bytes, bytes]:
    private = X25519PrivateKey.generate()
    return (
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


PRIVATE, PUBLIC = pair()


@pytest.fixture
def full(prod: World, sandbox: Sandbox) -> World:
    """`prod` with every field, and `a-first`, whose key comes from the vault `z-vault`."""

    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_tenant("acme")
        await host.sites.put_site("hq")
        fields = {
            "site": "hq",
            "tenants": ("acme",),
            "agent": "far",
            "description": "All of it",
            "allowed_groups": ("soc",),
            "admin_users": ("ann",),
            "health_check": HealthCheck(5, 2, ("a@example.com",)),
            "active": False,
        }
        await host.connections.edit("prod", Change(fields))
        vault = Change(parameters={"server_url": "https://vault.example.com"}, secrets={"headers": {"K": "v" * 20}})
        await host.connections.add("z-vault", "rest_vault", vault)
        reference = {"api_key": VaultReference("z-vault", "a/b", "c")}
        parameters = {"server_url": sandbox.base, "event_url": sandbox.base}
        await host.connections.add("a-first", "pagerduty", Change(parameters=parameters, vault=reference))

    prod.use(fill)
    return prod


@pytest.fixture
def empty(tmp_path: Any, full: World) -> World:
    """Another host, with the same places."""

    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_tenant("acme")
        await host.sites.put_site("hq")

    other = World(tmp_path / "other")
    other.use(fill)
    return other


def exported(world: World, **options: Any) -> Any:
    """As it comes back from a YAML file."""
    document = world.use(lambda host: host.transfer.export(**options))
    return yaml.safe_load(yaml.safe_dump(document, sort_keys=False))


def shown(world: World, name: str) -> dict[str, Any]:
    document: dict[str, Any] = world.use(lambda host: host.connections.show(name))
    return {key: one for key, one in document.items() if key not in {"id", "version", "health", "state"}}


def test_everything_arrives_with_its_secrets(full: World, empty: World) -> None:
    document = exported(full, public_key=PUBLIC)
    text = yaml.safe_dump(document)
    for secret in (API_KEY, INTEGRATION_KEY, "v" * 20):
        assert secret not in text
    outcomes = empty.use(lambda host: host.transfer.take(document, private_key=PRIVATE))
    assert [(one.name, one.error) for one in outcomes] == [("prod", ""), ("z-vault", ""), ("a-first", "")]
    for name in ("prod", "z-vault", "a-first"):
        assert json.loads(json.dumps(shown(empty, name))) == json.loads(json.dumps(shown(full, name)))
    empty.use(lambda host: host.connections.edit("prod", Change({"active": True, "agent": None})))
    assert empty.run("list_users").status is Status.PASSED


def test_without_a_key_the_secrets_stay(full: World, empty: World) -> None:
    document = exported(full, selection=Selection(name="prod"))
    [one] = document["connections"]
    assert one["missing_secrets"] == ["api_key", "integration_key"]
    [outcome] = empty.use(lambda host: host.transfer.take(document))
    assert "API Key" in outcome.note
    assert not shown(empty, "prod")["active"]


def test_a_connection_may_be_replaced_and_keeps_its_secrets(full: World) -> None:
    document = exported(full, selection=Selection(name="prod"))
    document["connections"][0]["description"] = "From the file"
    [outcome] = full.use(lambda host: host.transfer.take(document))
    assert "exists already" in outcome.error
    [outcome] = full.use(lambda host: host.transfer.take(document, replace_existing=True))
    assert (outcome.error, shown(full, "prod")["description"]) == ("", "From the file")
    assert shown(full, "prod")["secrets"]["api_key"] == "************bgRQ"


def test_one_that_can_not_come_harms_no_other(full: World, empty: World) -> None:
    document = exported(full, public_key=PUBLIC)
    document["connections"][1]["site"] = "mars"  # prod
    outcomes = empty.use(lambda host: host.transfer.take(document, private_key=PRIVATE))
    assert {one.name: bool(one.error) for one in outcomes} == {"prod": True, "z-vault": False, "a-first": False}


def test_sealed_secrets_open_with_their_key_for_their_plugin_only(full: World, empty: World) -> None:
    document = exported(full, public_key=PUBLIC, selection=Selection(name="prod"))
    other_private, _ = pair()
    for key, words in ((None, "give the private key"), (other_private, "sealed to another key")):
        [outcome] = empty.use(lambda host, k=key: host.transfer.take(document, private_key=k))  # type: ignore[misc]
        assert words in outcome.error
    moved = {**document["connections"][0], "plugin": "rest_vault"}
    [outcome] = empty.use(lambda host: host.transfer.take({**document, "connections": [moved]}, private_key=PRIVATE))
    assert "sealed to another key" in outcome.error


def test_a_file_that_leads_the_secrets_elsewhere_opens_none(full: World, empty: World) -> None:
    document = exported(full, public_key=PUBLIC, selection=Selection(name="prod"))
    document["connections"][0]["parameters"]["server_url"] = "https://evil.example.com"
    [outcome] = empty.use(lambda host: host.transfer.take(document, private_key=PRIVATE))
    assert "leads them to another server" in outcome.error


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("active", "no", "must be true or false"),
        ("site", 5, "must be text"),
        ("tenants", "acme", "must be a list of names"),
        ("allowed_users", [1], "must be a list of names"),
        ("health_check", {"interval_minutes": "5"}, "at least one"),
        ("health_check", 5, "is wrong"),
        ("health_check", {"minutes": 5}, "is wrong"),
        ("vault", {"api_key": "x"}, "is wrong"),
    ],
)
def test_fields_of_another_type_are_refused(full: World, empty: World, field: str, value: Any, words: str) -> None:
    document = exported(full, public_key=PUBLIC, selection=Selection(name="prod"))
    document["connections"][0][field] = value
    [outcome] = empty.use(lambda host: host.transfer.take(document, private_key=PRIVATE))
    assert words in outcome.error


@pytest.mark.parametrize("key", [b"", b"nonsense", PRIVATE], ids=["nothing", "words", "private"])
def test_a_public_key_that_is_none_is_refused(full: World, key: bytes) -> None:
    with pytest.raises(WrongUse, match="openssl genpkey -algorithm x25519"):
        full.use(lambda host: host.transfer.export(public_key=key))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"connections": []},
        {"connector_host_connections": 3, "connections": []},
        {"connector_host_connections": 1, "connections": {}},
        {"connector_host_connections": 1, "connections": ["x"]},
        {"connector_host_connections": 1, "connections": [{"name": "x"}]},
        {"connector_host_connections": 1, "connections": [{"name": "x", "plugin": "pagerduty", "vault": []}]},
        {"connector_host_connections": 1, "connections": [{"name": "x", "plugin": "pagerduty", "colour": "red"}]},
    ],
)
def test_what_is_no_export_is_refused_whole(world: World, document: Any) -> None:
    with pytest.raises(WrongUse):
        world.use(lambda host: host.transfer.take(document))
