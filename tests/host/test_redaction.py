"""No secret leaves the host: not in results, history, logs, exceptions or repr, in none of its forms."""

import base64
import json
import logging
import random
import re
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from connector_host.host.redaction import MASK, Redactor
from connector_host.model.connection import Change
from connector_host.model.errors import ConnectorHostError
from connector_host.model.json_text import unescaped
from tests.world import World, http, raw_server

SECRET = 'p/a"ss w\\ör+d=7ÿ?>~u'


def forms(secret: str) -> dict[str, str]:
    plain = secret.encode()
    return {
        "itself": secret,
        "url": quote(secret, safe=""),
        "url with slashes": quote(secret),
        "form": quote_plus(secret),
        "base64": base64.b64encode(plain).decode(),
        "base64 for urls": base64.urlsafe_b64encode(plain).decode(),
        "base64 without padding": base64.b64encode(plain).decode().rstrip("="),
        "basic authentication": base64.b64encode(b"user:" + plain).decode(),
        "bearer of something": base64.b64encode(b"id:" + plain + b":tail").decode(),
        "JSON": json.dumps(secret)[1:-1],
        "JSON without escapes": json.dumps(secret, ensure_ascii=False)[1:-1],
        "PHP's JSON": secret.replace("/", "\\/"),
    }


def test_the_forms_are_different_ones() -> None:
    found = forms(SECRET)
    assert found["base64 for urls"] != found["base64"]
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("form", forms(SECRET))
def test_each_form_is_found(form: str) -> None:
    text = forms(SECRET)[form]
    clean = Redactor([SECRET]).text(f"before {text} after")
    assert MASK in clean
    assert text not in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")


def test_short_values_are_left_so_that_words_stay_readable() -> None:
    assert Redactor(["user", "12345"]).text("The user 12345 is a user.") == "The user 12345 is a user."
    assert Redactor(["123456"]).text("123456") == MASK


def test_values_without_secrets_are_handed_on_as_they_are() -> None:
    value = {"a": [1, None, "b" * 100]}
    assert Redactor([SECRET]).value(value) is value


def test_keys_are_redacted_too() -> None:
    assert Redactor(["secret-secret"]).value({"x": {"secret-secret": 1}}) == {"x": {MASK: 1}}


KEY = SECRET.replace("ö", "o").replace("ÿ", "y")  # a header carries ASCII only


@pytest.mark.parametrize("form", forms(KEY))
def test_a_server_that_reflects_the_key(world: World, caplog: pytest.LogCaptureFixture, form: str) -> None:
    """An echo of the key in data, in an error, and hidden behind escapes."""
    said = forms(KEY)[form]
    quoted = json.dumps(said)[1:-1].encode()
    escaped = "".join(f"\\u{ord(character):04x}" for character in said).encode()
    good = http("200 OK", b'{"users": [{"id": "P1", "name": "%s"}, {"id": "P2", "name": "%s"}]}' % (quoted, escaped))
    error = {"error": {"message": f"key {said}", "code": said, "errors": [said]}}
    bad = http("403 Forbidden", json.dumps(error).encode())
    for answer in (good, bad):
        with raw_server(answer) as (base, received), caplog.at_level(logging.DEBUG):
            world.point_to(base)
            world.use(lambda host: host.connections.edit("prod", Change(secrets={"api_key": KEY})))
            result = world.run("list_users", {"query": f"find {KEY}"})
        assert KEY.encode() in received[0]
        history = world.use(lambda host: host.history())
        for text in (result.json(), repr(result), repr(history), caplog.text):
            for hidden in (KEY, said):
                for written in (hidden, json.dumps(hidden)[1:-1], repr(hidden)[1:-1], repr(json.dumps(hidden))[2:-2]):
                    assert written not in text
        assert "********" in result.json()


def test_no_secret_in_a_bugs_traceback_or_in_errors(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    from tests.parts.test_python_commands import own_world, run

    code = """
from connector_host.model.authoring import Failed, command

@command
async def go(call):
    key = call.connection["key"]
    raise ValueError(f"the key is {key} {call.connection!r}")

@command
async def tell(call):
    raise Failed("the key is " + call.connection["key"], detail=call.connection["key"], assistance=call.connection["key"])

@command
async def give(call):
    call.note(call.connection["key"])
    return {"key": call.connection["key"], "all": dict(call.connection)}
"""
    world = own_world(tmp_path, code, ["go", "tell", "give"], key="s3cret-s3cret")
    for command in ("go", "tell", "give"):
        with caplog.at_level(logging.DEBUG):
            result = run(world, command)
        assert "s3cret-s3cret" not in result.json()
        assert "s3cret-s3cret" not in caplog.text
    assert "the key is ********" in caplog.text
    assert "ValueError" in caplog.text
    assert b"s3cret-s3cret" not in b"".join(
        file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file()
    )


async def add(change: Change, host: Any) -> None:
    await host.connections.add("x", "pagerduty", change)


def test_no_secret_in_what_adding_refuses(world: World) -> None:
    for secrets in ({"api_key": ["not-a-secret-list"]}, {"apikey": "s3cret-s3cret"}, {"api_key": ""}):
        change = Change(parameters={"region": "US"}, secrets=secrets)
        assert "s3cret" not in repr(change)
        with pytest.raises(ConnectorHostError) as caught:
            world.use(partial(add, change))
        assert "s3cret" not in str(caught.value)
        assert "not-a-secret-list" not in str(caught.value)


def test_no_secret_in_the_reason_why_it_is_refused(tmp_path: Any) -> None:
    from tests.parts.test_python_commands import HEAD

    (tmp_path / "own").mkdir()
    head = HEAD.replace("writeOnly: true", "writeOnly: true, pattern: '^[0-9]+$', maxLength: 9, enum: ['1', '2']")
    (tmp_path / "own" / "manifest.yaml").write_text(head + "  go: {title: Go, request: {server: api, path: /}}\n")
    (tmp_path / "manifest.yaml").write_text("plugins: [own]\n")
    own = World(tmp_path / "home", manifest=tmp_path / "manifest.yaml")
    with pytest.raises(ConnectorHostError, match=r"\(Key\) is invalid. It does not have the form") as caught:
        own.use(lambda host: host.connections.add("x", "own", Change(secrets={"key": "s3cret-s3cret"})))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "body"),
    [
        ("s3cret-value", b'{"a": "xs3cret-valuex"}'),
        ("s3cret-value", b'{"a": "\\u00733cret-value"}'),
        ("s3cret-value", b'{"a": "{\\"b\\": \\"\\\\u00733cret-value\\"}"}'),
        ("s3cret/value", b'{"a": "s3cret\\/value"}'),
        ("s3cret/value", b'{"a": "s3cret\\u002fvalue"}'),
        ("s3cret/value", b'{"a": "{\\"b\\": \\"s3cret\\\\/value\\"}"}'),
        ('s3cret"value', b'{"a": "s3cret\\"value"}'),
        ('s3cret"value', b'{"a": "s3cret\\u0022value"}'),
        ('s3cret"value', b'{"a": "{\\"b\\": \\"s3cret\\\\\\"value\\"}"}'),
        ("s3cret\\value", b'{"a": "s3cret\\\\value"}'),
        ("s3cret\nvalue", b'{"a": "s3cret\\nvalue"}'),
        ("s3crét-value", b'{"a": "s3cr\\u00e9t-value"}'),
        ("s3crét-value", '{"a": "s3crét-value"}'.encode()),
        ("s3cret-value", b'{"a": "\\u00733cret-value'),
    ],
)
def test_no_page_is_vouched_for_in_which_a_secret_hides(secret: str, body: bytes) -> None:
    assert not Redactor([secret]).cannot_hold(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "a line\\n\\tC:\\\\svc \\"quoted\\" \\u2014 and \\/ more"}',
        '{"a": "na\u00efve \u2014 text"}'.encode(),
        b"[]",
    ],
)
def test_a_page_with_other_backslashes_is_vouched_for(body: bytes) -> None:
    assert Redactor(["s3cret/of+the=plugin", "another-s3cret"]).cannot_hold(body)


def test_a_secret_in_the_first_of_two_equal_keys_is_seen() -> None:
    assert not Redactor(["s3cretpass"]).cannot_hold(b'{"a":"\\u00733cretpass","a":"x"}')
    assert not Redactor(["pass/w\u00f6rd"]).cannot_hold('"pass/w\u00f6rd \\/"'.encode("latin-1"))


def test_of_two_secrets_the_longer_is_masked_whole() -> None:
    assert Redactor(["abcdef", "abcdefghij"]).text("x abcdefghij y") == "x ******** y"


PIECES = [
    *("a", "0041", "u0041", "/", "é", "\0", "\\"), *("\\u0041", "\\u005c", "\\u005C", "\\u0000", "\\u00e9", "\\u00E9"),
    *("\\/", "\\\\", "\\n", '\\"', "\\ud83d\\ude00", "\\ud83d"),
]  # fmt: skip
_HIDING = re.compile(r"\\\\|\\u([0-9a-fA-F]{4})|\\/")


def one_after_the_other(text: str) -> str:
    """What unescaped() means, read from the left as JSON is."""
    same = {"\\\\": "\\\\", "\\/": "/"}
    plain = _HIDING.sub(lambda found: same.get(found[0]) or chr(int(found[1], 16)), text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_hidden_characters_are_read_as_json_reads_them() -> None:
    chance = random.Random(7)
    for _ in range(20_000):
        text = "".join(chance.choices(PIECES, k=chance.randint(0, 8)))
        assert unescaped(text) == one_after_the_other(text), ascii(text)
    many = "".join(f"\\u{number:04x}" for number in range(0x100, 0x200))
    assert unescaped(many) == one_after_the_other(many)
