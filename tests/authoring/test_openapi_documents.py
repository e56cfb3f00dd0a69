"""Documents that are not what OpenAPI says: each becomes a manifest or one clear refusal, never a traceback."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_host.authoring.openapi.commands import command_of
from connector_host.authoring.openapi.document import OpenApi
from connector_host.authoring.scaffold import scaffold
from connector_host.manifests.strict_yaml import read_yaml
from connector_host.model.errors import WrongUse

PETS = Path(__file__).parent / "pets.yaml"
OPERATIONS = ("listPets", "addPet", "putPhoto", "search", "history", "all", "mood")
ODD: tuple[Any, ...] = (
    None,
    True,
    5,
    -1,
    1.5,
    "x",
    [],
    {},
    [None],
    {"$ref": "#/components/schemas/Pet"},
    {"$ref": 5},
    {"allOf": [True]},
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*way, key)
        yield from places(child, (*way, key))


def spoiled(document: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    made = copy.deepcopy(document)
    for _ in range(dice.randint(1, 4)):
        *way, last = dice.choice(list(places(made)))
        part: Any = made
        for key in way:
            part = part[key]
        if dice.random() < 0.4:
            del part[last]
        else:
            part[last] = dice.choice(ODD)
    return made


@pytest.mark.parametrize("seed", range(60))
def test_a_spoiled_document_is_refused_or_taken(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    document = read_yaml(PETS).value
    (tmp_path / "api.json").write_text(json.dumps(spoiled(document, dice)))
    try:
        scaffold("pets", tmp_path / "pets", f"{tmp_path / 'api.json'}#{dice.choice(OPERATIONS)}")
    except WrongUse as error:
        assert str(error)
        assert not (tmp_path / "pets").exists()
    else:
        assert "commands" in read_yaml(tmp_path / "pets" / "manifest.yaml").value


TEXT, NUMBER, TRUTH = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}


@pytest.mark.parametrize(
    ("queries", "fields", "paging"),
    [
        (["limit", "offset"], {"more": TRUTH}, {"style": "offset", "more": "$.more", "size_parameter": "limit"}),
        (["maxResults", "startAt"], {"total": NUMBER}, {"style": "offset", "position_parameter": "startAt", "total": "$.total", "size_parameter": "maxResults"}),
        (["limit", "offset"], {"count": NUMBER, "next": TEXT}, {"style": "link", "next": "$.next", "size_parameter": "limit"}),
        (["limit", "offset"], {"count": NUMBER}, None),
        (["cursor"], {"meta": {"type": "object", "properties": {"next_cursor": TEXT}}}, {"style": "cursor", "next": "$.meta.next_cursor", "size_parameter": ""}),
        (["pageToken"], {"nextPageToken": TEXT}, {"style": "cursor", "position_parameter": "pageToken", "next": "$.nextPageToken", "size_parameter": ""}),
        (["page", "per_page"], {"total_pages": NUMBER}, {"style": "page", "pages": "$.total_pages", "size_parameter": "per_page"}),
        (["page"], {}, None),
        (["page"], {"next_page": TEXT}, {"style": "cursor", "position_parameter": "page", "next": "$.next_page", "size_parameter": ""}),
        ([], {"next": NUMBER}, None),
        (["q"], {}, None),
    ],
)  # fmt: skip
def test_paging_is_told_by_its_names(tmp_path: Path, queries: list[str], fields: Any, paging: Any) -> None:
    records = {"type": "array", "items": {"type": "object"}}
    schema = {"type": "object", "properties": {"pets": records, **fields}}
    parameters = [{"name": name, "in": "query", "schema": TEXT} for name in queries]
    reply = {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}
    document = {
        "openapi": "3.1.0",
        "paths": {"/pets": {"get": {"operationId": "pets", "parameters": parameters, "responses": reply}}},
    }
    (tmp_path / "api.json").write_text(json.dumps(document))
    scaffold("pets", tmp_path / "pets", f"{tmp_path / 'api.json'}#pets")
    command = read_yaml(tmp_path / "pets" / "manifest.yaml").value["commands"]["pets"]
    found = command["request"].get("paging")
    sized = {"size": 100} if (paging or {}).get("size_parameter") else {}
    assert found == (None if paging is None else {**sized, **paging})
    known = {"q", *(queries if paging is None else [])} & set(queries)
    assert set(command.get("input", {}).get("properties", {})) == known
    assert ("collect" in command["request"]) is (paging is not None or not set(queries) - {"q"})


@pytest.mark.parametrize(
    ("fields", "collected"),
    [
        (("matchers", "id", "comment"), False),
        (("matchers",), True),
        (("matchers", "total", "next_page", "_links"), True),
        (("matchers", "name"), False),
    ],
)
def test_an_object_that_has_a_list_is_not_taken_for_the_list(
    tmp_path: Path, fields: tuple[str, ...], collected: bool
) -> None:
    properties: dict[str, Any] = {name: {"type": "string"} for name in fields}
    properties["matchers"] = {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}}
    answer = {"application/json": {"schema": {"type": "object", "properties": properties}}}
    get = {"operationId": "getSilence", "responses": {"200": {"description": "ok", "content": answer}}}
    document = {"openapi": "3.0.3", "info": {"title": "Acme", "version": "1"}, "paths": {"/silence": {"get": get}}}
    file = tmp_path / "api.json"
    file.write_text(json.dumps({**document, "servers": [{"url": "https://api.example.com"}]}))
    api = OpenApi(str(file))
    command = command_of(api, api.chosen(["getSilence"])[0])
    assert ("collect" in command["request"]) is collected
