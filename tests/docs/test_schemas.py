"""The published schemas: valid, described, and each example satisfies its schema."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from connector_host.app import App
from connector_host.configuration import bundled

FILES = sorted(file for file in (bundled() / "schemas").glob("*.schema.json") if "draft-07" not in file.name)


def test_the_editors_schema_is_made_of_the_published_one() -> None:
    from connector_host.authoring.published import as_text, editor_schema

    text = (bundled() / "schemas" / "plugin-manifest.draft-07.schema.json").read_text("utf-8")
    assert text == as_text(editor_schema())
    jsonschema.Draft7Validator.check_schema(json.loads(text))
    for example in json.loads(text)["examples"]:
        jsonschema.Draft7Validator(json.loads(text)).validate(example)


def test_the_reference_is_made_of_the_schema() -> None:
    from connector_host.authoring.published import reference

    file = bundled() / "docs" / "reference" / "manifest.md"
    if not file.exists():
        pytest.skip("the documents are not beside the package")
    assert file.read_text("utf-8") == reference(), (
        "python -m connector_host.authoring.published > docs/reference/manifest.md"
    )


def test_the_reference_of_results_is_made_of_the_schema() -> None:
    from connector_host.authoring.published import reference_of_results

    file = bundled() / "docs" / "reference" / "result.md"
    assert file.read_text("utf-8") == reference_of_results(), "python -m connector_host.authoring.published --result"


def test_there_are_five() -> None:
    assert [file.name.removesuffix(".schema.json") for file in FILES] == [
        "connection",
        "error",
        "invocation",
        "plugin-manifest",
        "result",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_example_satisfies_its_schema(file: Any) -> None:
    schema = json.loads(file.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["description"].endswith(".")
    assert schema["examples"]
    for example in schema["examples"]:
        jsonschema.Draft202012Validator(schema).validate(example)
        assert jsonschema_rs.Draft202012Validator(schema).is_valid(example)


def test_result_schema_refuses_dishonest_results() -> None:
    schema = json.loads((bundled() / "schemas" / "result.schema.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    good = schema["examples"][0]
    cut = {"complete": False, "returned": 1, "pages": 1, "stopped_because": "x", "limited": False}
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({**good, "status": "Passed"}, "error"),
        ({**good, "error": None}, "error"),
        ({**good, "status": "Partly"}, "status"),
        ({**good, "more": 1}, ""),
        ({**good, "status": "Passed", "error": None, "completeness": cut}, "status"),
    ]
    for wrong, place in wrongs:
        places = {".".join(map(str, error.absolute_path)) for error in validator.iter_errors(wrong)}
        assert place in places, (place, places)


def parameters() -> list[Any]:
    manifest = App().plugins.plugin("pagerduty")
    found = [("connection", name, schema) for name, schema in manifest.connection["properties"].items()]
    for command in manifest.commands.values():
        found += [(command.id, name, schema) for name, schema in command.input["properties"].items()]
    return found


@pytest.mark.parametrize(
    ("place", "name", "schema"), parameters(), ids=[f"{place}.{name}" for place, name, _ in parameters()]
)
def test_each_parameters_examples_and_default_satisfy_it(place: str, name: str, schema: dict[str, Any]) -> None:
    for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
        jsonschema.Draft202012Validator(schema).validate(value)
    assert schema["title"]
    assert schema["description"]


def test_the_page_of_public_names_is_made_of_the_docstrings() -> None:
    import runpy

    made = runpy.run_path(str(bundled() / "docs" / "reference" / "make_api.py"))["page"]()
    assert (bundled() / "docs" / "reference" / "api.md").read_text("utf-8") == made, "python docs/reference/make_api.py"


def test_the_page_of_the_command_line_is_made_of_it_and_every_option_says_what_it_is() -> None:
    import runpy

    made = runpy.run_path(str(bundled() / "docs" / "reference" / "make_cli.py"))["page"]()
    assert (bundled() / "docs" / "reference" / "cli.md").read_text("utf-8") == made, "python docs/reference/make_cli.py"
    assert not [line for line in made.splitlines() if line.startswith("| `--") and line.endswith("|  |")]


def test_the_page_of_who_reads_what_is_tried_on_a_host() -> None:
    import runpy

    made = runpy.run_path(str(bundled() / "docs" / "reference" / "make_rights.py"))["page"]()
    page = (bundled() / "docs" / "reference" / "rights.md").read_text("utf-8")
    assert page == made, "python docs/reference/make_rights.py"


def test_the_page_of_settings_names_each_setting_and_each_variable() -> None:
    import re

    from connector_host.host.settings import _SHAPES, DateTimeSetting, Limits

    page = (bundled() / "docs" / "reference" / "settings.md").read_text("utf-8")
    for name in [*_SHAPES, *Limits.__struct_fields__, *DateTimeSetting.__struct_fields__]:
        assert f"`{name}`" in page, name
    for field in Limits.__struct_fields__:
        assert f"| `{field}` | {getattr(Limits(), field):,} |" in page, field
    code = "".join(file.read_text("utf-8") for file in (bundled() / "connector_host").rglob("*.py"))
    for variable in set(re.findall(r"CONNECTOR_HOST_[A-Z_]+", code)) - {"CONNECTOR_HOST_COMPLETE"}:
        assert f"`{variable}`" in page, variable


def test_the_reference_of_manifests_has_every_key_with_its_meaning() -> None:
    """Each mapping whose keys the schema names has a table, and each row of it says what the key means."""
    from connector_host.authoring.published import reference

    schema = json.loads((bundled() / "schemas" / "plugin-manifest.schema.json").read_text("utf-8"))

    parameters = set(schema["$defs"]["schema"]["properties"])  # JSON Schema's own words

    def keys(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            named = node.get("properties")
            if isinstance(named, dict) and node.get("additionalProperties") is False:
                yield from named
            for value in node.values():
                yield from keys(value)
        elif isinstance(node, list):
            for value in node:
                yield from keys(value)

    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith(("| `", "| **`"))]
    shown = {row[0].strip("|*` ") for row in rows}
    assert set(keys(schema)) - shown - parameters == set()
    assert [row[0] for row in rows if row[-1].strip(" |") == ""] == []


def test_what_a_sessions_methods_take_and_give_can_be_imported() -> None:
    """Whoever annotates their own functions with it needs it from where the page says that it stands."""
    import connector_host

    page = (bundled() / "docs" / "reference" / "api.md").read_text("utf-8")
    of_sessions = page.partition("## What hangs on a session")[2].partition("\n## ")[0]
    signatures = re.findall(r"^- `(?:await )?(\w+\(.*?)`: ", of_sessions, flags=re.MULTILINE)
    assert len(signatures) > 30
    named = {name for one in signatures for name in re.findall(r"\b[A-Z]\w+\b", one)}
    assert "AuditHead" in named
    elsewhere = {
        "Any",
        "Mapping",
        "Sequence",
        "None",
        "Path",
        "True",
        "False",
        "AsyncIterator",
        "Literal",
        "Uploads",
    }  # the last is a noun of a session
    assert {name for name in named if not hasattr(connector_host, name)} - elsewhere == set()


def test_the_reference_of_the_http_api_is_made_of_its_routes() -> None:
    import runpy

    made = runpy.run_path(str(bundled() / "docs" / "reference" / "make_http_api.py"))["page"]().rstrip() + "\n"
    page = (bundled() / "docs" / "reference" / "http-api.md").read_text("utf-8")
    assert page == made, "python docs/reference/make_http_api.py"
