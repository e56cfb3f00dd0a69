"""The published schema of manifests and the Structs they become: the same keys, defaults and required ones."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector_host.model import manifest, requests

ROOT = Path(__file__).resolve().parents[2]

SCHEMA = json.loads((ROOT / "schemas" / "plugin-manifest.schema.json").read_text("utf-8"))
DEFINED = SCHEMA["$defs"]
COMMAND = DEFINED["command"]["properties"]
# Struct, its part of the schema, keys that are read on the way (and laid into others), fields that the host gives.
PAIRS: list[tuple[type[msgspec.Struct], dict[str, Any], set[str], set[str]]] = [
    (manifest.Manifest, SCHEMA, {"manifest_version", "errors", "responses", "failure_codes", "assistance"}, {"root"}),
    (manifest.Command, DEFINED["command"], {"like"}, {"id"}),
    (manifest.Migration, SCHEMA["properties"]["migrations"]["items"], set(), set()),
    (manifest.Exemption, SCHEMA["properties"]["exemptions"]["items"], set(), set()),
    (manifest.Deprecation, DEFINED["deprecation"], set(), set()),
    (manifest.Credential, COMMAND["credential"], set(), set()),
    (manifest.Sample, DEFINED["samples"]["items"], set(), set()),
    (manifest.HttpExchange, DEFINED["samples"]["items"]["properties"]["http"]["items"], set(), set()),
    (manifest.FieldMapping, DEFINED["fields"]["items"], set(), set()),
    (manifest.Cursor, COMMAND["intake"]["properties"]["cursor"], set(), set()),
    (manifest.EventSource, COMMAND["intake"]["properties"]["event"]["properties"]["sources"]["items"], set(), set()),
    (requests.Server, DEFINED["server"], set(), {"name"}),
    (requests.Limit, DEFINED["server"]["properties"]["limit"], set(), set()),
    (requests.RetryPolicy, SCHEMA["properties"]["retry"], set(), set()),
    (requests.ErrorForm, DEFINED["error_form"], set(), set()),
    (requests.ItemResults, DEFINED["results"], set(), set()),
    (requests.Auth, DEFINED["auth"], set(), set()),
    (requests.ResponseRule, DEFINED["responses"]["items"], set(), set()),
    (requests.Paging, DEFINED["paging"], set(), set()),
    (requests.Poll, COMMAND["request"]["properties"]["poll"], set(), set()),
    (requests.RequestTemplate, COMMAND["request"], set(), set()),
]


@pytest.mark.parametrize(("struct", "schema", "laid", "given"), PAIRS, ids=lambda one: getattr(one, "__name__", ""))
def test_the_schema_and_the_struct_say_the_same(
    struct: type[msgspec.Struct], schema: dict[str, Any], laid: set[str], given: set[str]
) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    assert set(schema["properties"]) - laid == set(fields) - given
    required = {name for name, field in fields.items() if field.required}
    assert set(schema.get("required", ())) <= required | laid | given
    assert required - given <= set(schema.get("required", ())) | FILLED
    for name, part in schema["properties"].items():
        if "default" in part:
            assert fields[name].default == part["default"], name


FILLED = {"input"}  # left out, it is an empty form
