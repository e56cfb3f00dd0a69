"""OpenAPI documents of real vendors: what comes from them is data, nothing is lost in silence, keys are shown rightly."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector_host.authoring.kit.kit import run_kit
from connector_host.authoring.scaffold import scaffold
from connector_host.model.errors import WrongUse
from tests.own import HEAD, own, run
from tests.world import SHARED, World, http, raw_server

DOCUMENTS = SHARED / "work" / "openapi"
HOST = [sys.executable, "-m", "connector_host"]
KEY = {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
OK = {
    "200": {
        "description": "ok",
        "content": {"application/json": {"schema": {"type": "object", "properties": {"id": {"type": "string"}}}}},
    }
}


def made(tmp_path: Path, document: dict[str, Any], names: str) -> tuple[dict[str, Any], str]:
    """Scaffold operations of a document; return the manifest, and its text."""
    file = tmp_path / "api.json"
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Mini", "version": "1"},
        "servers": [{"url": "https://api.example.com"}],
    }
    file.write_text(json.dumps({**whole, **document}))
    scaffold("mini", tmp_path / "mini", f"{file}#{names}")
    text = (tmp_path / "mini" / "manifest.yaml").read_text("utf-8")
    return yaml.safe_load(text), text


def told(tmp_path: Path, name: str, names: str) -> tuple[dict[str, Any], str]:
    document = yaml.safe_load((DOCUMENTS / name).read_text("utf-8"))
    return made(tmp_path, document, names)


shared = pytest.mark.skipif(not DOCUMENTS.exists(), reason="the documents are not in this repository")


# What comes from a document is data

PLANTED = ["$.connection.api_key", "x{$.connection.api_key}y", "$", "...", "[*]"]


def planted(text: str) -> dict[str, Any]:
    """A document with a text in each place that a document has for texts."""
    scheme = {"type": "apiKey", "in": "header", "name": "X-Key", "description": f"`{text} <key>`"}
    body = {"type": "object", "required": ["kind", "n"], "properties": {
        "kind": {"type": "string", "enum": [text]}, "n": {"const": text}, "d": {"type": "string", "default": text, "example": text}}}  # fmt: skip
    parameters = [
        {
            "name": "q",
            "in": "query",
            "description": text,
            "schema": {"type": "string", "default": text, "enum": [text]},
        },
        {"name": "Accept", "in": "header", "schema": {"type": "string", "default": text}},
        {"name": "p", "in": "path", "required": True, "schema": {"type": "string", "example": text}},
    ]
    post = {"operationId": "make", "summary": text, "description": text, "parameters": parameters, "responses": OK,
            "requestBody": {"content": {"application/json": {"schema": body}}}}  # fmt: skip
    return {
        "info": {"title": text, "version": text},
        "components": {"securitySchemes": {"key": scheme}},
        "security": [{"key": []}],
        "paths": {"/things/{p}": {"post": post}, "/me": {"get": {"operationId": "me", "responses": OK}}},
    }


@pytest.mark.parametrize("text", PLANTED)
def test_a_planted_template_is_never_looked_up(tmp_path: Path, text: str) -> None:
    made(tmp_path, planted(text), "make")
    secret = "s3cret-of-the-connection"
    with raw_server(http("200 OK", b'{"id": "1"}')) as (base, received):
        manifest = tmp_path / "host.yaml"
        manifest.write_text(f"plugins: [{tmp_path / 'mini'}]\nsteps: []\n")
        world = World(tmp_path / "home", manifest=manifest)
        from connector_host.model.connection import Change

        change = Change(parameters={"server_url": base}, secrets={"api_key": secret})
        world.use(lambda host: host.connections.add("own", "mini", change))
        properties = world.use(_properties)
        inputs = {"p": "1", **{name: text for name in properties if name not in {"p", "q"}}}
        result = world.use(lambda host: host.run("mini", "make", "own", inputs))
    assert result.status == "Passed", result.errors
    (request,) = received
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.count(secret.encode()) == 1, "the key stands in its header alone"
    assert secret.encode() not in body
    assert json.loads(body)["kind"] == text


async def _properties(host: Any) -> Any:
    return host._core.registry.command("mini", "make")[1].input["properties"]


@pytest.mark.parametrize("name", ["...", "[*]", "$.connection.api_key"])
@pytest.mark.parametrize("place", ["body", "query"])
def test_a_name_that_means_something_to_a_template_is_refused(tmp_path: Path, name: str, place: str) -> None:
    post: dict[str, Any] = {"operationId": "make", "responses": OK}
    if place == "body":
        post["requestBody"] = {
            "content": {
                "application/json": {
                    "schema": {"type": "object", "properties": {name: {"type": "string"}, "b": {"type": "string"}}}
                }
            }
        }
    else:
        post["parameters"] = [{"name": name, "in": "query", "schema": {"type": "string"}}]
    with pytest.raises(WrongUse, match="no word for"):
        made(tmp_path, {"paths": {"/things": {"post": post}}}, "make")


# Single things, and pages


@shared
def test_a_thing_that_holds_a_list_is_kept_whole(tmp_path: Path) -> None:
    manifest, _ = told(tmp_path, "m1.yaml", "getTag")
    assert "collect" not in manifest["commands"]["get_tag"]["request"]


@pytest.mark.parametrize(
    ("path", "fields", "collected"),
    [
        ("/things/{id}", {"labels": "array", "total": "integer"}, False),
        ("/things", {"labels": "array", "status": "string"}, False),
        ("/things", {"labels": "array", "errors_count": "integer"}, False),
        ("/things", {"items": "array", "total_count": "integer"}, True),
        ("/orgs/{id}/things", {"items": "array", "has_more": "boolean"}, True),
    ],
)
def test_a_list_is_collected_where_it_is_one(
    tmp_path: Path, path: str, fields: dict[str, str], collected: bool
) -> None:
    properties = {
        name: {"type": kind, **({"items": {"type": "object"}} if kind == "array" else {})}
        for name, kind in fields.items()
    }
    answer = {
        "200": {
            "description": "ok",
            "content": {"application/json": {"schema": {"type": "object", "properties": properties}}},
        }
    }
    parameters = (
        [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}] if "{id}" in path else []
    )
    manifest, _ = made(
        tmp_path,
        {"paths": {path: {"get": {"operationId": "get", "parameters": parameters, "responses": answer}}}},
        "get",
    )
    assert ("collect" in manifest["commands"]["get"]["request"]) is collected


@shared
def test_pages_begin_where_the_document_says_and_marks_are_marks(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    zero, _ = told(tmp_path / "a", "m2.yaml", "zero")
    assert zero["commands"]["zero"]["request"]["paging"]["first"] == 0
    (tmp_path / "b").mkdir()
    token, _ = told(tmp_path / "b", "m2.yaml", "token")
    paging = token["commands"]["token"]["request"]["paging"]
    assert (paging["style"], paging["position_parameter"], paging["next"]) == ("cursor", "page", "$.next_page")
    (tmp_path / "c").mkdir()
    deep, text = told(tmp_path / "c", "m2.yaml", "deep")
    assert "paging" not in deep["commands"]["deep"]["request"]
    assert "# Left out" in text


@shared
def test_page_words_that_no_style_fits_are_noted_and_inputs_stay(tmp_path: Path) -> None:
    manifest, _ = told(tmp_path, "m9.yaml", "two,commit")
    assert {"offset", "limit"} <= set(manifest["commands"]["two"]["input"]["properties"])
    assert {"page", "per_page"} <= set(manifest["commands"]["commit"]["input"]["properties"])
    assert "collect" not in manifest["commands"]["commit"]["request"]


def test_a_list_whose_end_is_not_known_is_not_called_whole(tmp_path: Path) -> None:
    commands = "  go: {title: Go, request: {server: api, path: /go, collect: items, paging: {style: first_page, more: $.next}}}\n"
    for following, status in (("x", "Partially Successful"), (None, "Passed")):
        folder = tmp_path / status
        folder.mkdir()
        body = json.dumps({"items": [{"id": 1}], "next": following}).encode()
        with raw_server(http("200 OK", body)) as (base, _):
            assert run(own(folder, commands, base, head=HEAD), "go").status == status


# Who asks


@shared
def test_two_keys_that_are_wanted_together_are_both_sent(tmp_path: Path) -> None:
    manifest, _ = told(tmp_path, "m1.yaml", "getTag")
    server = manifest["servers"]["api"]
    assert server["auth"]["name"] == "X-Key"
    assert server["headers"] == {"X-App": "$.connection.x_app"}
    assert manifest["connection"]["properties"]["x_app"]["writeOnly"] is True


@shared
@pytest.mark.parametrize("names", ["getTag,getPlain"])
def test_operations_of_other_servers_or_keys_are_refused_by_name(tmp_path: Path, names: str) -> None:
    with pytest.raises(WrongUse, match="getPlain"):
        told(tmp_path, "m1.yaml", names)


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ({"type": "http", "scheme": "digest"}, "digest"),
        ({"type": "openIdConnect", "openIdConnectUrl": "https://x.example"}, "openIdConnect"),
        ({"type": "http", "scheme": "hoba"}, "hoba"),
    ],
)
def test_what_a_manifest_cannot_say_is_refused_and_named(tmp_path: Path, scheme: dict[str, Any], words: str) -> None:
    document = {
        "components": {"securitySchemes": {"s": scheme}},
        "security": [{"s": []}],
        "paths": {"/me": {"get": {"operationId": "me", "responses": OK}}},
    }
    with pytest.raises(WrongUse, match=words):
        made(tmp_path, document, "me")
    (tmp_path / "other").mkdir()
    offered = {
        **document,
        "components": {"securitySchemes": {"s": scheme, **KEY}},
        "security": [{"s": []}, {"key": []}],
    }
    manifest, _ = made(tmp_path / "other", offered, "me")
    assert manifest["servers"]["api"]["auth"]["name"] == "X-Key"


def test_a_client_certificate_is_one(tmp_path: Path) -> None:
    document = {
        "components": {"securitySchemes": {"s": {"type": "mutualTLS"}}},
        "security": [{"s": []}],
        "paths": {"/me": {"get": {"operationId": "me", "responses": OK}}},
    }
    manifest, _ = made(tmp_path, document, "me")
    assert {"client_certificate", "client_key"} <= set(manifest["connection"]["properties"])
    assert "auth" not in manifest["servers"]["api"]


@pytest.mark.parametrize(
    ("token", "path", "login"),
    [
        ("/oauth/token", "/oauth/token", "https://api.example.com"),
        ("https://login.example.com/t", "/t", "https://login.example.com"),
        ("oauth/token", "/v2/oauth/token", "https://api.example.com"),
    ],
)
def test_scopes_are_those_of_all_operations_and_a_relative_token_url_is_resolved(
    tmp_path: Path, token: str, path: str, login: str
) -> None:
    scheme = {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": token, "scopes": {}}}}
    paths = {
        f"/{name}": {"get": {"operationId": name, "security": [{"s": [f"{name}.read"]}], "responses": OK}}
        for name in ("a", "b")
    }
    document = {
        "servers": [{"url": "https://api.example.com/v2"}],
        "components": {"securitySchemes": {"s": scheme}},
        "paths": paths,
    }
    manifest, _ = made(tmp_path, document, "a,b")
    auth = manifest["servers"]["api"]["auth"]
    assert (auth["path"], auth["scope"]) == (path, "a.read b.read")
    assert manifest["connection"]["properties"]["login_url"]["default"] == login


@pytest.mark.parametrize(
    "description", ["Use <b>your key</b>", "Your <strong>API key</strong>, <a href='x'>here</a>", "<p>Key</p>"]
)
def test_html_in_a_description_is_no_part_of_a_header(tmp_path: Path, description: str) -> None:
    scheme = {**KEY["key"], "description": description}
    document = {
        "components": {"securitySchemes": {"key": scheme}},
        "security": [{"key": []}],
        "paths": {"/me": {"get": {"operationId": "me", "responses": OK}}},
    }
    assert made(tmp_path, document, "me")[0]["servers"]["api"]["auth"]["value"] == "$.connection.api_key"


def test_test_connection_needs_the_credentials_and_asks_for_one_page(tmp_path: Path) -> None:
    records = {
        "200": {
            "description": "ok",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "items": {"type": "array", "items": {"type": "object"}},
                            "has_more": {"type": "boolean"},
                        },
                    }
                }
            },
        }
    }
    parameters = [
        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
        {"name": "offset", "in": "query", "schema": {"type": "integer"}},
    ]
    paths = {
        "/health": {"get": {"operationId": "health", "security": [], "responses": OK}},
        "/things": {"get": {"operationId": "things", "parameters": parameters, "responses": records}},
    }
    manifest, _ = made(
        tmp_path, {"components": {"securitySchemes": KEY}, "security": [{"key": []}], "paths": paths}, "things"
    )
    request = manifest["commands"]["test_connection"]["request"]
    assert (request["path"], request["query"]) == ("/things", {"limit": 1})
    assert "paging" not in request
    report = run_kit(tmp_path / "mini")
    outcomes = {one.outcome for one in report.checks if one.rule == "test-connection-fails"}
    assert outcomes == {"passed", "not_applicable"}


def test_a_test_that_needs_no_credentials_fails_the_kit(tmp_path: Path) -> None:
    plugin = tmp_path / "acme"
    plugin.mkdir()
    head = HEAD.replace("title: URL, type: string", "title: URL, type: string, format: uri")
    head = head.replace(', headers: {Authorization: "Bearer {$.connection.key}"}', "")
    test = "  test_connection: {title: Test, kind: test_connection, request: {server: api, path: /health}, samples: [{http: [{request: GET /health, body: {}}]}]}\n"
    (plugin / "manifest.yaml").write_text(head + test)
    failed = [one.rule for one in run_kit(plugin).checks if one.outcome == "failed"]
    assert "test-connection-fails" in failed


# Nothing is lost in silence


@shared
def test_two_operations_with_one_id_are_both_there(tmp_path: Path) -> None:
    manifest, text = told(tmp_path, "m3.yaml", "node,post_nodes")
    assert {"node", "post_nodes"} <= set(manifest["commands"])
    assert "another has it" in text


@shared
def test_path_items_by_reference_and_what_cannot_be_read_are_seen(tmp_path: Path) -> None:
    manifest, _ = told(tmp_path, "m8.yaml", "viaPathItem")
    assert "via_path_item" in manifest["commands"]
    (tmp_path / "b").mkdir()
    _, text = told(tmp_path / "b", "m3.yaml", "getNode")
    assert "HEAD /head" in text


def test_operations_in_other_files_are_found_and_none_is_fetched(tmp_path: Path) -> None:
    item = {"get": {"operationId": "far", "responses": {"200": {"$ref": "#/parts/good"}}}}
    (tmp_path / "more.json").write_text(json.dumps({"item": item, "parts": {"good": OK["200"]}}))
    manifest, _ = made(tmp_path, {"paths": {"/far": {"$ref": "more.json#/item"}}}, "far")
    assert "far" in manifest["commands"]
    for number, reference in enumerate(
        ("https://elsewhere.example/api.json#/x", "../secret.json#/x", "file:///etc/passwd#/x")
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(WrongUse, match="stands outside"):
            made(folder, {"paths": {"/far": {"$ref": reference}}}, "far")


@pytest.mark.parametrize("example", [None, "AC0123456789abcdef0123456789abcdef"])
def test_a_pattern_that_no_example_meets_costs_the_sample_and_not_the_document(
    tmp_path: Path, example: str | None
) -> None:
    schema = {"type": "string", "pattern": "^AC[0-9a-f]{32}$", **({"example": example} if example else {})}
    get = {
        "operationId": "account",
        "parameters": [{"name": "sid", "in": "path", "required": True, "schema": schema}],
        "responses": OK,
    }
    manifest, text = made(tmp_path, {"paths": {"/accounts/{sid}": {"get": get}}}, "account")
    assert ("samples" in manifest["commands"]["account"]) == (example is not None)
    assert ("the samples of account" in text) == (example is None)


def test_what_is_wrong_is_told_all_at_once(tmp_path: Path) -> None:
    text = {"200": {"description": "ok", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    paths = {f"/{name}": {"get": {"operationId": name, "responses": text}} for name in ("a", "b")}
    with pytest.raises(WrongUse) as caught:
        made(tmp_path, {"paths": paths}, "a,b")
    assert "'a'" in str(caught.value)
    assert "'b'" in str(caught.value)


def test_a_parameter_that_is_the_credential_is_no_input(tmp_path: Path) -> None:
    parameters = [
        {
            "name": "token",
            "in": "query",
            "required": True,
            "description": "Authentication token. Requires scope: `x`",
            "schema": {"type": "string"},
        },
        {"name": "X-Key", "in": "header", "required": True, "schema": {"type": "string"}},
        {"name": "page_token", "in": "query", "schema": {"type": "string"}},
    ]
    get = {"operationId": "chat", "parameters": parameters, "responses": OK}
    document = {"components": {"securitySchemes": KEY}, "security": [{"key": []}], "paths": {"/chat": {"get": get}}}
    assert list(made(tmp_path, document, "chat")[0]["commands"]["chat"]["input"]["properties"]) == ["page_token"]


# Of the host, not of the importer


def test_a_multipart_request_without_a_part_is_sent(tmp_path: Path) -> None:
    commands = "  go: {title: Go, input: {properties: {note: {title: Note, type: string}}}, request: {server: api, method: POST, path: /go, multipart: {note: $.input.note}}}\n"
    with raw_server(http("200 OK", b"{}")) as (base, received):
        assert run(own(tmp_path, commands, base), "go").status == "Passed"
    assert b"multipart/form-data; boundary=" in received[0]


def test_parameters_with_names_of_our_own_options_can_be_given(tmp_path: Path) -> None:
    names = ["input", "output", "timeout", "connection", "help", "set", "secret", "parameters", "secrets", "sandbox"]
    properties = "".join(f"        {name}: {{title: {name.title()}, type: string}}\n" for name in names)
    commands = f"  go:\n    title: Go\n    input:\n      properties:\n{properties}    request:\n      server: api\n      path: /go\n      query: {{{', '.join(f'{name}: $.input.{name}' for name in names)}}}\n"
    with raw_server(http("200 OK", b"{}")) as (base, received):
        world = own(tmp_path, commands, base)
        flags = {name: f"--input-{name}" if name not in {"parameters", "secrets"} else f"--{name}" for name in names}
        words = [word for name in names for word in (flags[name], f"v-{name}")]
        import os

        environment = {
            **os.environ,
            "CONNECTOR_HOST_HOME": str(world.home),
            "CONNECTOR_HOST_MANIFEST": str(tmp_path / "manifest.yaml"),
        }
        done = subprocess.run(
            [*HOST, "test-command", "acme", "go", "--connection", "own", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        shown = subprocess.run(
            [*HOST, "test-command", "acme", "go", "--help"], env=environment, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    for name in names:
        assert f"{name}=v-{name}".encode() in received[0]
        assert flags[name] in shown.stdout


def test_a_folder_with_a_taken_id_is_not_linked(tmp_path: Path) -> None:
    plugin = tmp_path / "twin"
    plugin.mkdir()
    (plugin / "manifest.yaml").write_text(
        HEAD.replace("id: acme", "id: pagerduty") + "  go: {title: Go, request: {server: api, path: /go}}\n"
    )
    done = subprocess.run([*HOST, "plugins", "link", str(plugin)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "already" in done.stderr


def everyone_knows_everyone(count: int) -> dict[str, Any]:
    """Schemas each of which has each other as a property, as a graph of people would."""
    names = [f"S{number}" for number in range(count)]
    knows = {name.lower(): {"$ref": f"#/components/schemas/{name}"} for name in names}
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}
    get = {"operationId": "getIt", "responses": {"200": {"description": "ok", "content": answer}}}
    return {
        "paths": {"/it": {"get": get}},
        "components": {"schemas": {name: {"type": "object", "properties": knows} for name in names}},
    }


def test_schemas_that_refer_to_one_another_stay_small(tmp_path: Path) -> None:
    made(tmp_path, everyone_knows_everyone(12), "getIt")
    written = (tmp_path / "mini" / "schemas" / "get_it.schema.json").read_text("utf-8")
    assert len(written) < 400_000
    head = (tmp_path / "mini" / "manifest.yaml").read_text("utf-8")
    assert "# Left out: what stands deep in large schemas" in head


def test_a_schema_within_itself_is_open_there(tmp_path: Path) -> None:
    made(tmp_path, everyone_knows_everyone(1), "getIt")
    schema = json.loads((tmp_path / "mini" / "schemas" / "get_it.schema.json").read_text("utf-8"))
    assert schema["properties"] == {"s0": {}}


def test_parameters_that_are_no_list_are_told_with_their_operation(tmp_path: Path) -> None:
    document = {"paths": {"/it/{p}": {"get": {"operationId": "getIt", "parameters": {}, "responses": OK}}}}
    with pytest.raises(WrongUse, match="getIt"):
        made(tmp_path, document, "getIt")


YAML_DOCUMENT = """
openapi: 3.1.0
info: {title: Mini, version: "1"}
servers: [{url: "https://api.example.com"}]
paths:
  /things:
    get:
      operationId: listThings
      responses:
        200: {description: ok, content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}}
"""


def test_status_codes_of_a_yaml_document_need_no_quotes(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(YAML_DOCUMENT)
    scaffold("mini", tmp_path / "mini", f"{tmp_path / 'api.yaml'}#listThings")
    schema = json.loads((tmp_path / "mini" / "schemas" / "list_things.schema.json").read_text("utf-8"))
    assert "id" in schema["properties"]


@pytest.mark.parametrize("end", ["\n", "\r", "\u0085", "\u2028"])
def test_no_name_of_a_document_ends_a_comment(tmp_path: Path, end: str) -> None:
    path = f"/x{end}isolation: process{end}notes: [injected]{end}#"
    document = {"paths": {"/it": {"get": {"operationId": "getIt", "responses": OK}}, path: {"head": {"responses": OK}}}}
    manifest, text = made(tmp_path, document, "getIt")
    assert "injected" in text
    assert {"isolation", "notes"} & set(manifest) == set()


def test_a_way_to_show_who_asks_that_is_not_described_is_refused(tmp_path: Path) -> None:
    document = {"security": [{"ApiKey": []}], "paths": {"/it": {"get": {"operationId": "getIt", "responses": OK}}}}
    with pytest.raises(WrongUse, match="'ApiKey'"):
        made(tmp_path, document, "getIt")


@pytest.mark.parametrize("order", [("Key", "Bearer"), ("Bearer", "Key")])
def test_two_ways_together_are_declared_in_any_order(tmp_path: Path, order: tuple[str, str]) -> None:
    schemes = {"Key": KEY["key"], "Bearer": {"type": "http", "scheme": "bearer"}}
    document = {
        "security": [{key: [] for key in order}],
        "components": {"securitySchemes": schemes},
        "paths": {"/it": {"get": {"operationId": "getIt", "responses": OK}}},
    }
    manifest, _ = made(tmp_path, document, "getIt")
    assert manifest["servers"]["api"]["auth"]["type"] == "bearer"
    assert "X-Key" in manifest["servers"]["api"]["headers"]
