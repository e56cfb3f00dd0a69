"""A wrong manifest is refused with file and line, what is wrong and what to do; it never stops the others."""

import sys
from pathlib import Path
from typing import Any

import pytest

from connector_host.app import App
from connector_host.configuration import Configuration, bundled
from connector_host.manifests.registry import satisfies
from connector_host.manifests.strict_yaml import parse_yaml
from connector_host.manifests.structuring import load_manifest
from connector_host.model.errors import BrokenPlugin, ManifestError, UnknownCommand, UnknownPlugin

GOOD = """\
id: acme
name: Acme
version: 1.0.0
servers:
  api: {url: $.connection.url, headers: {Authorization: "Bearer {$.connection.key}"}}
connection:
  required: [url, key]
  properties:
    url: {title: URL, type: string, format: uri}
    key: {title: Key, type: string, writeOnly: true}
commands:
  get_thing:
    title: Get Thing
    input:
      required: [ids]
      properties:
        ids: {title: IDs, type: array, items: {type: string}}
    each: ids
    request: {server: api, path: "/things/{$.item}"}
    key_fields: {IDs: "$[*].id"}
  do_thing:
    title: Do Thing
    input:
      properties:
        count: {title: Count, type: integer}
"""
CODE = '''"""Acme."""
from connector_host.model.authoring import command


@command
def do_thing(call, count=1):
    """Do it."""
    return {"count": count}
'''


def write(folder: Path, manifest: str = GOOD, code: str | None = CODE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.yaml").write_text(manifest)
    if code is not None:
        (folder / "commands.py").write_text(code)
    return folder


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load_manifest(folder, bundled() / "schemas")
    return [str(problem).replace(str(folder), "") for problem in caught.value.problems]


def test_the_good_one_loads(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path), bundled() / "schemas")
    assert list(manifest.commands) == ["get_thing", "do_thing"]
    assert manifest.commands["get_thing"].failure_indicator == "Get Thing failed."


# what, replaced, by, line, words that the problem must hold
WRONG: list[tuple[str, str, str, int, list[str]]] = [
    ("YAML error", "name: Acme", "name: [Acme", 2, ["not YAML"]),
    ("unknown key", "version: 1.0.0", "version: 1.0.0\nversoin: 2", 4, ["versoin", "Did you mean 'version'"]),
    ("unknown key deep", "    each: ids", "    eech: ids", 18, ["eech", "Did you mean 'each'"]),
    ("missing key", "name: Acme\n", "", 1, ["name", "required"]),
    ("wrong type", "id: acme", "id: Ac-me", 1, ["id", "must match"]),
    ("duplicate command", "  do_thing:", "  get_thing:", 21, ["get_thing", "twice"]),
    ("bad schema", "type: integer", "type: integar", 25, ["unknown-value", "integar", "Did you mean 'integer'"]),
    ("pattern that is none", "type: integer", "type: integer, pattern: '['", 25, ["not a valid JSON Schema", "pattern ["]),
    ("pattern that needs another engine", "title: URL, type: string, format: uri", "title: URL, type: string, pattern: '(?=x)y'", 9, ["pattern", "cannot be used"]),
    ("schema that refers outside", "type: integer", "$ref: 'https://example.com/x.json'", 25, ["not a valid JSON Schema", "outside"]),
    ("schema that refers nowhere", "type: integer", "$ref: '#/nowhere'", 25, ["not a valid JSON Schema", "/nowhere"]),
    ("path does not parse", '"$[*].id"', '"$[*.id"', 20, ["$[*.id", "cannot be parsed"]),
    ("path in a request does not parse", "/things/{$.item}", "/things/{$.item[}", 19, ["cannot be parsed"]),
    ("secret with a default", "writeOnly: true}", "writeOnly: true, default: x}", 10, ["secret 'key'", "default", "remove"]),
    ("unknown server", "server: api,", "server: apy,", 19, ["apy", "Did you mean 'api'"]),
    ("unknown connection parameter", "{$.connection.key}", "{$.connection.kee}", 5, ["kee", "Did you mean 'key'"]),
    ("unknown root", "/things/{$.item}", "/things/{$.itm}", 19, ["itm", "$.item"]),
    ("each is no list", "    each: ids", "    each: idz", 18, ["idz", "Did you mean 'ids'"]),
    ("required is not declared", "required: [ids]", "required: [idz]", 15, ["idz", "not declared"]),
    ("a function is missing", "  do_thing:", "  do_thong:", 21, ["do_thong", "no function", "@command"]),
    ("a parameter differs", "count: {title", "amount: {title", 23, ["differ", "amount", "count", "commands.py:6"]),
    ("output schema is missing", "    title: Do Thing", "    title: Do Thing\n    output: {$ref: nowhere.json}", 23, ["nowhere.json", "No such file"]),
    ("output schema outside", "    title: Do Thing", "    title: Do Thing\n    output: {$ref: ../../../../etc/hostname}", 23, ["outside the plugin"]),
    ("a tag", "name: Acme", "name: !!python/name:os.system", 2, ["tag", "not allowed"]),
    ("an alias", "name: Acme", "name: &a Acme", 2, ["aliases are not allowed"]),
    ("too new a host", "version: 1.0.0", 'version: 1.0.0\nrequires_host: ">=99"', 1, ["requires the host >=99"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_manifests(tmp_path: Path, old: str, new: str, line: int, words: list[str]) -> None:
    assert old in GOOD
    folder = write(tmp_path / "acme", GOOD.replace(old, new, 1))
    host = tmp_path / "manifest.yaml"
    host.write_text("plugins: [acme]\n")
    reason = App(Configuration(home=tmp_path, manifest=host)).plugins.broken["acme"].reason
    problem = next(one for one in reason.splitlines() if all(word in one for word in words))
    assert problem.startswith(f"{folder}/manifest.yaml:{line}:")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('"$[*].id"', '"$[*.id"').replace("server: api,", "server: apy,").replace("integer", "integar")
    assert [one.split(":")[1] for one in problems_of(write(tmp_path, text))] == ["19", "20", "25"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (CODE.replace("count=1", "count"), ["'count' is optional here, but commands.py:6 demands it"]),
        (CODE.replace("do_thing", "do_other"), ["has no function"]),
        (
            CODE + "\n\n@command\nasync def more(call): ...\n",
            ["/commands.py:12:", "'more' is a command", "not in the manifest"],
        ),
        (CODE + "\n\n@command\ndef get_thing(call, ids): ...\n", ["declared with a request"]),
        (
            CODE.replace("@command\ndef do_thing", "@command(each='ids')\ndef do_thing"),
            ["each='ids'", "The manifest says each: None"],
        ),
        ("def broken(:\n", ["/commands.py:1:", "not Python"]),
        (None, ["neither a request nor a function"]),
    ],
)
def test_functions_are_held_against_the_manifest_without_running_them(
    tmp_path: Path, code: str | None, words: list[str]
) -> None:
    found = "\n".join(problems_of(write(tmp_path, GOOD, code)))
    assert all(word in found for word in words), found


@pytest.mark.parametrize("content", ["1", "[]", "null", '"text"'])
def test_an_output_schema_that_is_no_object(tmp_path: Path, content: str) -> None:
    folder = write(tmp_path, GOOD.replace("    title: Do Thing", "    title: Do Thing\n    output: {$ref: out.json}"))
    (folder / "out.json").write_text(content)
    [problem] = problems_of(folder)
    assert problem.startswith("/manifest.yaml:23:")
    assert "must be an object" in problem


def test_listing_runs_no_code(tmp_path: Path) -> None:
    load_manifest(write(tmp_path, GOOD, f"raise SystemExit('run')\n{CODE}"), bundled() / "schemas")


def test_a_broken_plugin_stops_no_other(tmp_path: Path) -> None:
    write(tmp_path / "good")
    write(tmp_path / "bad", "id: [")
    host = tmp_path / "manifest.yaml"
    host.write_text("plugins: [bad, nowhere, good]\n")
    registry = App(Configuration(home=tmp_path, manifest=host)).plugins
    assert list(registry.plugins) == ["acme"]
    assert list(registry.broken) == ["bad", "nowhere"]
    assert "cannot be read" in registry.broken["nowhere"].reason
    with pytest.raises(BrokenPlugin, match="not YAML"):
        registry.plugin("bad")
    with pytest.raises(UnknownPlugin, match="Did you mean 'acme'"):
        registry.plugin("acmee")
    with pytest.raises(UnknownCommand, match="Did you mean 'get-thing'"):
        registry.command("acme", "get-thng")


def test_two_plugins_of_one_id(tmp_path: Path) -> None:
    write(tmp_path / "first")
    write(tmp_path / "second")
    host = tmp_path / "manifest.yaml"
    host.write_text("plugins: [first, second]\n")
    assert "is taken by" in App(Configuration(home=tmp_path, manifest=host)).plugins.broken["second"].reason


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", "no"),
        ("a: on", "on"),
        ("a: 1.0", "1.0"),
        ("a: 1_000", "1_000"),
        ("a: 0o17", "0o17"),
        ("a: 012", "012"),
        ("a: 2024-01-01", "2024-01-01"),
        ("a: 12:30:45", "12:30:45"),
        ("a: true", True),
        ("a: null", None),
        ("a:", None),
        ("a: -7", -7),
        ("a: '7'", "7"),
        ('a: "null"', "null"),
        ("a: >-\n  7\n", "7"),
        ("a: NaN", "NaN"),
        ("a: .inf", ".inf"),
    ],
)
def test_plain_scalars_mean_what_they_look_like(text: str, value: Any) -> None:
    found = parse_yaml(text.encode(), "x").value["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "content",
    [
        b"a: 1\na: 2",
        b"a: &x [1]\nb: *x",
        b"a: !!str 1",
        b"a: !ruby/object:x {}",
        b"[" * 100_000,
        b"{a: " * 100_000,
        b"a: 1\n---\nb: 2",
        b"? [1]\n: 2",
        b"a: \xff",
        b"a: 1" + b" " * 1_000_001,
        b"a: \x00",
        b"\t- a",
    ],
)
def test_the_strict_reader_refuses(content: bytes) -> None:
    with pytest.raises(ManifestError, match=r"x:\d+:\d+: "):
        parse_yaml(content, "x")


def test_plain_paths_agree_with_jsonpath_ng() -> None:
    from jsonpath_ng.ext.parser import parse

    from connector_host.model.paths import ABSENT, compile_path

    document = {"a": [{"b": 1, "c-d": None}, {"b": [2, 3]}, 7], "e": {"f": {"g": "x"}, "h": "y"}, "items": {"k": 1}}
    for text in (
        "$",
        "$.a",
        "$.a[*]",
        "$.a[*].b",
        "$.a[1].b[0]",
        "$.a[9]",
        "$.e.*",
        "$.e.f.g",
        "$.x.y",
        "$['e']['h']",
        "$.a[*]['c-d']",
    ):
        assert compile_path(text).find(document) == [match.value for match in parse(text).find(document)], text
    assert compile_path(".e.f.g").first(document) == "x"
    assert compile_path("$.nothing").first(document) is ABSENT
    assert compile_path("$.a[?(@.b == 1)].b").find(document) == [1]
    assert compile_path("$..g").find(document) == ["x"]


@pytest.mark.parametrize(
    ("mine", "required", "fits"),
    [("1.0.0", ">=1,<2", True), ("2.0.0", ">=1,<2", False), ("1.10", ">=1.9", True), ("1.0", "==1.0.0", True), ("1.0.0", "", True), ("0.9", ">=1", False), ("3", ">2", True), ("1.10.0.dev3", ">=1.10.0", False), ("1.10.0rc1", "<1.10.0", True), ("1.0.0.1", ">1.0.0", True)],
)  # fmt: skip
def test_host_versions(mine: str, required: str, fits: bool) -> None:
    assert satisfies(mine, required) is fits


def test_listing_plugins_imports_neither_http_nor_jsonschema() -> None:
    import subprocess

    code = "import sys; from connector_host.app import App; assert App().plugins.plugins; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert (
        not {"httpx2", "jsonschema", "jsonpath_ng", "cryptography", "rich", "starlette", "uvicorn", "aiosql"} & loaded
    )
