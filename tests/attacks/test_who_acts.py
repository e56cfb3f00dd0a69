"""Attacks by callers: to be somebody else, to read what is others', to lead a secret away."""

import datetime as dt
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector_host.host.egress import Egress, address_of, places_of
from connector_host.model.caller import Caller
from connector_host.model.connection import Change, VaultReference
from connector_host.model.errors import BadSetting, ConnectorHostError, NotAllowed, UnknownConnection
from connector_host.model.invocation_errors import RequestRefused
from connector_host.model.result import Status
from tests.own import HEAD, SECRET, own
from tests.world import API_KEY, FastClock, Sandbox, World, http, raw_server

NOW = dt.datetime.now(dt.UTC)
WHEN = {
    "start_time": f"{NOW - dt.timedelta(days=90):%Y-%m-%d %H:%M}",
    "end_time": f"{NOW + dt.timedelta(days=1):%Y-%m-%d %H:%M}",
}
ANN = Caller(user="ann", site="hq")  # administers `prod`
BEN = Caller(user="ben", site="hq")  # may use it
CAT = Caller(user="cat", site="beta-site")  # of another tenant that it is shared to
EVE = Caller(user="eve", site="shop")  # may not


@pytest.fixture
def shared(prod: World) -> World:
    """`prod` shared to two tenants, administered by Ann."""

    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        for tenant, site in (("acme", "acme-site"), ("beta", "beta-site"), ("shops", "shop")):
            await host.sites.put_tenant(tenant)
            await host.sites.put_site(site, tenant=tenant)
        await host.sites.put_site("hq")
        fields = {"shared_to_internal_sites": True, "recipient_site": "hq", "tenants": ("acme", "beta")}
        await host.connections.edit("prod", Change({**fields, "admin_users": ("ann",)}))

    prod.use(fill)
    return prod


def test_a_user_called_operator_is_not_recorded_as_the_operator(shared: World) -> None:
    shared.use(lambda host: host.run("pagerduty", "list_users", "prod"), Caller(user="operator", site="hq"))
    shared.use(lambda host: host.run("pagerduty", "list_users", "prod"))
    operator, user = shared.use(lambda host: host.history())
    assert (operator.actor.kind, operator.actor.id) == ("operator", "")
    assert (user.actor.kind, user.actor.id, user.actor.site) == ("user", "operator", "hq")
    assert operator.caller != user.caller
    entries = [one.entry for one in shared.use(lambda host: host.audit.newest(2))]
    assert [(one.actor_kind, one.actor_id) for one in entries] == [("operator", ""), ("user", "operator")]


@pytest.mark.parametrize("call", ["history", "connections.list", "uploads"])
def test_a_caller_with_nothing_in_it_does_nothing(prod: World, call: str) -> None:
    async def attack(host: Any) -> Any:
        if call == "history":
            return await host.history(5, "prod")
        if call == "uploads":
            return host.uploads
        return await host.connections.list()

    if call == "connections.list":
        assert prod.use(attack, Caller()) == []
    else:
        with pytest.raises(ConnectorHostError):
            prod.use(attack, Caller())


def test_a_plain_user_diagnoses_and_sees_no_audit_and_no_others_runs(shared: World) -> None:
    shared.use(lambda host: host.run("pagerduty", "list_users", "prod"), ANN)
    shared.use(lambda host: host.run("pagerduty", "list_users", "prod"), BEN)
    bundle = shared.use(lambda host: host.diagnose("prod"), BEN)
    assert bundle["audit.json"] == []
    assert [one["caller"] for one in bundle["history.json"]] == ["user ben at hq"]
    assert len(shared.use(lambda host: host.diagnose("prod"), ANN)["history.json"]) == 2
    assert shared.use(lambda host: host.diagnose("prod"))["audit.json"]


def test_a_mask_shows_the_end_of_a_long_secret_to_administrators_alone(shared: World) -> None:
    assert shared.use(lambda host: host.connections.show("prod"), BEN)["secrets"]["api_key"] == "************"
    shown = shared.use(lambda host: host.connections.show("prod"), ANN)["secrets"]["api_key"]
    assert shown == f"************{API_KEY[-4:]}"
    assert API_KEY[:4] not in json.dumps(shared.use(lambda host: host.connections.show("prod")))


# Every reading call of the face, for whom it is not: none tells more than of what does not exist.
READING: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "past": lambda host, run: host.past(run),
    "history": lambda host, _: host.history(50, "prod"),
    "diagnose": lambda host, _: host.diagnose("prod"),
    "show": lambda host, _: host.connections.show("prod"),
    "ingested": lambda host, _: host.ingested("fetch_incident", "prod"),
    "list": lambda host, _: host.connections.list(),
    "choices": lambda host, _: host.choices("pagerduty", "create_incident", "service_id", "prod"),
    "audit": lambda host, _: host.audit.newest(5),
    "verify": lambda host, _: host.audit.verify(),
    "sites": lambda host, _: host.sites.map(),
    "export": lambda host, _: host.transfer.export(),
}
WRONG = {"another tenant's user": CAT, "a colleague": BEN, "a stranger": EVE, "nobody": Caller()}


@pytest.mark.parametrize("who", WRONG)
@pytest.mark.parametrize("call", READING)
def test_nobody_reads_what_ran_for_another(shared: World, call: str, who: str) -> None:
    owner = Caller(user="qqabe", site="acme-site")
    inputs = {"query": "a-word-of-abe"}
    ran = shared.use(lambda host: host.run("pagerduty", "list_users", "prod", inputs), owner)
    assert shared.use(lambda host: host.past(ran.invocation_id), owner) is not None
    assert shared.use(lambda host: host.past(ran.invocation_id), ANN) is not None, "she administers the connection"
    try:
        found = shared.use(lambda host: READING[call](host, ran.invocation_id), WRONG[who])
    except ConnectorHostError as error:
        found = str(error)
    text = repr(found)
    for word in ("a-word-of-abe", "qqabe", ran.invocation_id):
        assert word not in text


def test_what_was_taken_in_belongs_to_its_site(shared: World) -> None:
    shared.use(lambda host: host.ingest("pagerduty", "fetch_incident", "prod", WHEN))
    for caller, count in ((ANN, 1), (BEN, 1), (CAT, 0)):
        found = shared.use(lambda host: host.ingested("fetch_incident", "prod"), caller)
        assert bool(found) == bool(count), caller


INSIDE = [
    "http://127.0.0.1:9", "http://localhost:9", "https://169.254.169.254", "https://10.0.0.1", "https://192.168.1.1",
    "https://[::1]", "https://[::ffff:10.0.0.1]", "https://[64:ff9b::a00:1]", "https://100.64.0.1", "https://0.0.0.0",
    "https://[fe80::1]", "https://[fd00::1]", "https://224.0.0.1", "https://2130706433", "https://0x7f.1",
]  # fmt: skip


@pytest.mark.parametrize("url", INSIDE)
@pytest.mark.parametrize("transport", ["lean", "httpx2"])
def test_an_administrator_names_no_server_inside(shared: World, url: str, transport: str) -> None:
    given = {"api_key": "anns-own-key-anns-own-key", "integration_key": "anns-own-integration-key"}
    change = Change(parameters={"server_url": url, "event_url": "https://events.example.com"}, secrets=given)
    try:
        shared.use(lambda host: host.connections.edit("prod", change), ANN)
    except BadSetting:
        return
    manifest = shared.home / "manifest.yaml"
    value = yaml.safe_load(_bundled_manifest())
    manifest.write_text(yaml.safe_dump({**value, "slots": {"transport": transport}}))
    world = World(shared.home, manifest=manifest)
    result = world.use(lambda host: host.run("pagerduty", "list_users", "prod"), ANN)
    assert result.status is Status.FAILED
    assert "is an address inside" in result.errors[0].message


def _bundled_manifest() -> str:
    from connector_host.configuration import bundled

    text = (bundled() / "manifest.yaml").read_text("utf-8")
    return text.replace("- plugins/", f"- {bundled()}/plugins/")


def test_what_the_host_manifest_allows_and_denies_holds(shared: World, sandbox: Sandbox) -> None:
    manifest = shared.home / "manifest.yaml"
    given = {"api_key": API_KEY, "integration_key": "34be7512aaaabbbbccccdddd3c3534ca"}
    own = Change(parameters={"server_url": sandbox.base, "event_url": sandbox.base}, secrets=given)

    def world(egress: str) -> World:
        manifest.write_text(f"{_bundled_manifest()}\negress: {egress}\n")
        return World(shared.home, manifest=manifest)

    allowing = world("{allowed: [127.0.0.0/8]}")
    allowing.use(
        lambda host: host.connections.edit("prod", Change({}, {"server_url": "https://x.example"}, given)), ANN
    )
    allowing.use(lambda host: host.connections.edit("prod", own), ANN)
    assert allowing.use(lambda host: host.run("pagerduty", "list_users", "prod"), ANN).status is Status.PASSED
    denying = world("{denied: [127.0.0.1]}")
    result = denying.use(lambda host: host.run("pagerduty", "list_users", "prod"))
    assert (result.status, "denies requests" in result.errors[0].message) == (Status.FAILED, True)
    closed = world("{}")
    result = closed.use(lambda host: host.run("pagerduty", "list_users", "prod"), ANN)
    assert "is an address inside" in result.errors[0].message
    closed.use(lambda host: host.connections.edit("prod", Change({}, {"server_url": "https://x.example"})))
    closed.use(lambda host: host.connections.edit("prod", own))
    assert closed.use(lambda host: host.run("pagerduty", "list_users", "prod"), ANN).status is Status.PASSED


@pytest.mark.parametrize("url", ["https://p\u0430gerduty.com", "https://g\u03bfogle.com"])
def test_a_name_that_mixes_scripts_is_refused(prod: World, url: str) -> None:
    with pytest.raises(BadSetting, match="mixes letters"):
        prod.use(lambda host: host.connections.edit("prod", Change(parameters={"server_url": url})))


def test_a_name_in_one_script_is_kept_in_its_plain_form(prod: World) -> None:
    prod.use(lambda host: host.connections.edit("prod", Change(parameters={"server_url": "https://bücher.example"})))
    shown = prod.use(lambda host: host.connections.show("prod"))
    assert shown["parameters"]["server_url"] == "https://xn--bcher-kva.example"


REGIONAL = """\
id: acme
name: Acme
version: {version}
servers:
  api:
    url: "https://{{$.connection.region}}.acme.example"
    auth: {{type: bearer, token: $.connection.key}}
connection:
  required: [region, key]
  properties:
    region: {{title: Region, type: string}}
    key: {{title: Key, type: string, writeOnly: true}}
commands:
  go:
    title: Go
    request: {{server: api, path: /go}}
"""


def _regional(folder: Any) -> World:
    (folder / "acme").mkdir()
    (folder / "acme" / "manifest.yaml").write_text(REGIONAL.format(version="1.0.0"))
    return World(folder / "home", plugin_folders=(folder / "acme",), clock=FastClock())


def test_a_parameter_that_a_server_is_made_of_leads_no_secret_away(tmp_path: Any) -> None:
    world = _regional(tmp_path)

    async def fill(host: Any) -> None:
        await host.sites.put_tenant("us", master=True)
        await host.sites.put_site("hq")
        change = Change({"site": "hq", "admin_users": ("ann",)}, {"region": "eu"}, {"key": "k" * 20})
        await host.connections.add("one", "acme", change)

    world.use(fill)
    away = Change(parameters={"region": "evil.example/x?"})
    for caller in (ANN, None):
        with pytest.raises((NotAllowed, BadSetting)):
            world.use(lambda host: host.connections.edit("one", away), caller)
    with pytest.raises(NotAllowed, match="give its secrets again: key"):
        world.use(lambda host: host.connections.edit("one", Change(parameters={"region": "us"})), ANN)


def test_a_new_version_of_a_plugin_sends_no_secret_to_a_new_server_unasked(tmp_path: Any) -> None:
    world = _regional(tmp_path)
    world.use(lambda host: host.connections.add("one", "acme", Change({}, {"region": "eu"}, {"key": "k" * 20})))
    moved = REGIONAL.format(version="1.1.0").replace("acme.example", "evil.example")
    (tmp_path / "acme" / "manifest.yaml").write_text(moved)
    result = world.use(lambda host: host.run("acme", "go", "one"))
    assert "would send the secrets" in result.errors[0].message
    [outcome] = world.use(lambda host: host.connections.upgrade())
    assert "activate it if so" in outcome.error
    assert world.use(lambda host: host.connections.show("one"))["active"] is False
    world.use(lambda host: host.connections.edit("one", Change({"active": True})))
    result = world.use(lambda host: host.run("acme", "go", "one"))
    assert "would send" not in result.errors[0].message


def test_a_vault_hands_out_its_allowed_paths_alone_and_asks_the_right_at_each_use(shared: World) -> None:
    async def fill(host: Any) -> None:
        fields = {"allowed_paths": ("secret/soar/*",), "site": "hq", "allowed_users": ("ann",)}
        change = Change(fields, {"server_url": "https://vault.example"}, {"token": "t" * 20})
        await host.connections.add("vault", "hashicorp_vault", change)

    shared.use(fill)
    for path in ("secret/other", "secret/soar/../other", "secret/soar/%2e%2e/x", "/secret/soar//x", "secret/soar/x?y"):
        change = Change(vault={"api_key": VaultReference("vault", path, "key")})
        with pytest.raises(BadSetting, match="does not hand out"):
            shared.use(lambda host, c=change: host.connections.edit("prod", c), ANN)  # type: ignore[misc]
        asked = shared.use(
            lambda host, p=path: host.run("hashicorp_vault", "fetch_credential", "vault", {"path": p, "field": "f"})  # type: ignore[misc]
        )
        assert "does not hand out" in asked.errors[0].message
    good = Change(vault={"api_key": VaultReference("vault", "secret/soar/x", "key")})
    shared.use(lambda host: host.connections.edit("prod", good), ANN)
    shared.use(lambda host: host.connections.edit("vault", Change({"allowed_users": ("zoe",)})))
    result = shared.use(lambda host: host.run("pagerduty", "list_users", "prod"), BEN)
    assert "has no right to the vault connection any more" in result.errors[0].message


def _keys() -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    private = X25519PrivateKey.generate()
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.private_bytes(serialization.Encoding.PEM, form, plain), public


@pytest.mark.parametrize("harm", ["swapped", "description", "active", "admin_users"])
def test_an_export_that_was_changed_opens_no_secret(prod: World, sandbox: Sandbox, tmp_path: Any, harm: str) -> None:
    private, public = _keys()
    prod.add(sandbox.base, "second", secrets={"api_key": "another-key-of-second"})
    document = prod.use(lambda host: host.transfer.export(public_key=public))
    first, second = document["connections"]
    if harm == "swapped":
        first["sealed_secrets"], second["sealed_secrets"] = second["sealed_secrets"], first["sealed_secrets"]
    else:
        first[harm] = {"description": "changed", "active": False, "admin_users": ["eve"]}[harm]
    fresh = World(tmp_path / "fresh")
    outcomes = fresh.use(lambda host: host.transfer.take(document, private_key=private))
    assert "do not open" in outcomes[0].error
    assert bool(outcomes[1].error) == (harm == "swapped")


def test_an_import_takes_no_stored_secret_to_a_new_address(prod: World) -> None:
    document = prod.use(lambda host: host.transfer.export())
    document["connections"][0]["parameters"]["server_url"] = "https://evil.example"
    [outcome] = prod.use(lambda host: host.transfer.take(document, replace_existing=True))
    assert "give its secrets again" in outcome.error
    assert "evil" not in json.dumps(prod.use(lambda host: host.connections.show("prod")))


def test_an_import_with_replace_leaves_nothing_that_the_file_does_not_say(shared: World) -> None:
    shared.use(lambda host: host.connections.edit("prod", Change({"description": "old", "allowed_users": ("mia",)})))
    document = shared.use(lambda host: host.transfer.export())
    one = document["connections"][0]
    for gone in ("description", "allowed_users", "admin_users", "tenants"):
        one.pop(gone, None)
    one["missing_secrets"] = ["api_key"]
    [preview] = shared.use(lambda host: host.transfer.preview(document))
    assert any("admin_users" in change and "ann" in change for change in preview.changes)
    assert any("integration_key" in change for change in preview.changes)
    [outcome] = shared.use(lambda host: host.transfer.take(document, replace_existing=True))
    assert outcome.error == ""
    shown = shared.use(lambda host: host.connections.show("prod"))
    assert (shown["description"], shown["admin_users"], shown["tenants"]) == ("", [], [])
    assert list(shown["secrets"]) == ["api_key"]


def test_what_is_elsewhere_answers_like_what_is_not(shared: World) -> None:
    said = []
    for name in ("prod", "no-such-connection"):
        with pytest.raises(UnknownConnection) as refusal:
            shared.use(lambda host, n=name: host.history(5, n), EVE)  # type: ignore[misc]
        said.append(str(refusal.value).replace(name, "NAME"))
    assert said[0] == said[1]
    ran = shared.use(lambda host: host.run("pagerduty", "list_users", "prod"))
    assert shared.use(lambda host: host.past(ran.invocation_id), EVE) is None
    assert shared.use(lambda host: host.past("0199f1c2-7b7e-7cc1-b1b5-6d1f0c3f8a11"), EVE) is None


def test_a_file_belongs_to_whoever_put_it_there(shared: World) -> None:
    async def put(host: Any) -> Any:
        return host.uploads.put("a.txt", b"content of ann")

    async def find(host: Any, reference: str) -> Any:
        return host.uploads.find(reference)

    reference = shared.use(put, ANN)
    assert shared.use(lambda host: find(host, reference), BEN) is None
    assert shared.use(lambda host: find(host, reference), ANN).name == "a.txt"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "240.0.0.1", "224.0.0.1", "0.0.0.0"),
        *("::1", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::7f00:1", "2002:7f00:1::1"),
        *("64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "::ffff:0:7f00:1", "2001:0:1:2:3:4:80ff:fffe"),
    ],
)
def test_an_address_inside_is_written_in_another_way(host: str) -> None:
    with pytest.raises(RequestRefused, match="an address inside"):
        Egress().check(host, address_of(host), by_operator=False)


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_outside_is_permitted(host: str) -> None:
    Egress().check(host, address_of(host), by_operator=False)


@pytest.mark.parametrize("network", ["2002::/16", "8.8.8.0/24"])
def test_what_is_denied_is_denied_by_either_address(network: str) -> None:
    with pytest.raises(RequestRefused, match="denies"):
        Egress(denied=places_of([network])).check("x", address_of("2002:808:808::1"), by_operator=True)


@pytest.mark.parametrize("how", ["renamed", "made a server of"])
def test_a_new_version_of_a_plugin_makes_a_users_parameter_the_operators(tmp_path: Path, how: str) -> None:
    eve = Caller(user="eve", site="hq")
    with raw_server(http("200 OK", b"{}")) as (base, received):
        port = base.rpartition(":")[2]
        look = "  look: {title: Look, read_only: true, request: {server: api, path: /look}}\n"
        other = "    other: {title: Other, type: string}\ncommands:\n"
        head = HEAD.replace("commands:\n", other)
        world = own(tmp_path, look, base, head=head)
        world.use(lambda host: host.sites.put_tenant("us", master=True))
        world.use(lambda host: host.sites.put_site("hq"))
        world.use(lambda host: host.connections.edit("own", Change({"admin_users": ("eve",), "site": "hq"})))
        inside = f"http://localhost:{port}"
        change = Change(parameters={"url" if how == "renamed" else "other": inside}, secrets={"key": SECRET})
        world.use(lambda host: host.connections.edit("own", change), eve)
        newer = head.replace("1.0.0", "1.1.0")
        if how == "renamed":
            newer = newer.replace(
                "version: 1.1.0\n", "version: 1.1.0\nmigrations: [{version: 1.1.0, rename: {url: base_url}}]\n"
            )
            newer = newer.replace("$.connection.url", "$.connection.base_url").replace("[url, key]", "[base_url, key]")
            newer = newer.replace("    url: {", "    base_url: {")
        else:
            newer = newer.replace("$.connection.url", "$.connection.other")
        (tmp_path / "acme" / "manifest.yaml").write_text(newer + look)
        world.use(lambda host: host.connections.edit("own", Change({"active": True}, {}, {"key": SECRET})))
        result = world.use(lambda host: host.run("acme", "look", "own"), eve)
    assert result.status is Status.FAILED
    assert "an address inside" in result.errors[0].message
    assert received == []


def test_the_operator_confirms_a_server_that_an_administrator_named(tmp_path: Path) -> None:
    eve = Caller(user="eve", site="hq")
    look = "  look: {title: Look, read_only: true, request: {server: api, path: /look}}\n"
    with raw_server(http("200 OK", b"{}", "Content-Type: application/json")) as (base, _):
        world = own(tmp_path, look, "https://acme.example")
        world.use(lambda host: host.sites.put_tenant("us", master=True))
        world.use(lambda host: host.sites.put_site("hq"))
        world.use(lambda host: host.connections.edit("own", Change({"admin_users": ("eve",), "site": "hq"})))
        inside = Change({}, {"url": base.replace("127.0.0.1", "localhost")}, {"key": SECRET})
        world.use(lambda host: host.connections.edit("own", inside), eve)
        assert "an address inside" in world.use(lambda host: host.run("acme", "look", "own")).errors[0].message
        world.use(lambda host: host.connections.edit("own", inside))
        assert world.use(lambda host: host.run("acme", "look", "own")).status is Status.PASSED


@pytest.mark.parametrize("host", ["64:ff9b:1:7f00:0:100:808:808"])
def test_a_network_that_translates_by_itself_is_inside(host: str) -> None:
    with pytest.raises(RequestRefused, match="an address inside"):
        Egress().check(host, address_of(host), by_operator=False)
