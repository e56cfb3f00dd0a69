"""A secret comes back from the product in every disguise, and leaves the host by none of its exits."""

import base64
import html
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import anyio
import pytest

from connector_host import logs
from connector_host.model.connection import Change
from tests.own import SECRET as OWN
from tests.own import own, run
from tests.world import http, raw_server

SECRET = 'u+Do"S3cret\\Key/bgRQ é='
PEM = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBK{n:02}" for n in range(4))
PEM += "\n-----END PRIVATE KEY-----\n"
PIN = "480193827465"
GO = """
  go:
    title: Go
    request: {server: api, path: /go}
  all:
    title: All
    request: {server: api, path: /all, collect: things, paging: {style: cursor, next: $.next}}
  each:
    title: Each
    input: {required: [ids], properties: {ids: {title: IDs, type: array, items: {type: string}}}}
    each: ids
    request: {server: api, path: "/each/{$.item}"}
"""
HEAD_ERRORS = "errors: {message: $.error, details: $.details, code: $.code}\n"


def utf8(text: str) -> bytes:
    return text.encode()


FORMS: dict[str, Callable[[str], str]] = {
    "itself": lambda s: s,
    "in a sentence": lambda s: f"The key {s} is wrong",
    "percent": lambda s: quote(s, safe=""),
    "percent in small letters": lambda s: "".join(
        part.lower() if part.startswith("%") else part for part in _parts(quote(s, safe=""))
    ),
    "percent, slashes kept": quote,
    "percent, slashes kept, small": lambda s: "".join(
        part.lower() if part.startswith("%") else part for part in _parts(quote(s))
    ),
    "plus": quote_plus,
    "percent twice": lambda s: quote(quote(s, safe=""), safe=""),
    "plus twice": lambda s: quote(quote_plus(s), safe=""),
    "a query": lambda s: f"https://x.example/?key={quote(s, safe='')}&a=1",
    "HTML": html.escape,
    "HTML without quotes": lambda s: html.escape(s, quote=False),
    "HTML with a decimal quote": lambda s: html.escape(s).replace("&#x27;", "&#39;"),
    "JSON": json.dumps,
    "JSON without escapes": lambda s: json.dumps(s, ensure_ascii=False),
    "JSON in JSON": lambda s: json.dumps(json.dumps(s)),
    "JSON in JSON without escapes": lambda s: json.dumps(json.dumps(s, ensure_ascii=False), ensure_ascii=False),
    "slashes escaped": lambda s: s.replace("/", "\\/"),
    "hex": lambda s: utf8(s).hex(),
    "HEX": lambda s: utf8(s).hex().upper(),
    **{
        f"{name} behind {behind} bytes, {end}": lambda s, e=encode, b=behind, p=end: (  # type: ignore[misc]
            e(b"x" * b + utf8(s)).decode().rstrip("=" if p == "unpadded" else " ")
        )
        for name, encode in (("base64", base64.b64encode), ("base64 for URLs", base64.urlsafe_b64encode))
        for behind in (0, 1, 2, 5)
        for end in ("padded", "unpadded")
    },
    "basic authentication": lambda s: "Basic " + base64.b64encode(b"user:" + utf8(s)).decode(),
    "bearer": lambda s: f"Bearer {s}",
    "a header": lambda s: f"Authorization: Token token={s}",
    "a key of an object": lambda s: s,
    "in a list": lambda s: s,
    "twice": lambda s: f"{s} {s}",
    "beside others": lambda s: f"a{s}b",
    "far behind": lambda s: "x" * 490 + s,
    "far behind, cut": lambda s: "word " * 97 + s + " word" * 100,
    "on lines of its own": lambda s: f"first\n{s}\nlast",
    "with tabs": lambda s: f"first\t{s}\tlast",
    "in quotes": lambda s: f"'{s}'",
}


def _parts(text: str) -> list[str]:
    found, index = [], 0
    while index < len(text):
        size = 3 if text[index] == "%" else 1
        found.append(text[index : index + size])
        index += size
    return found


def test_there_are_forty_eight_disguises() -> None:
    assert len(FORMS) >= 48


def traces(secret: str) -> list[str]:
    """What must not be seen: the secret, the start of one that was cut, and what reading any form would give."""
    plain = utf8(secret)
    found = [secret, secret[:10], plain.hex()[:16], plain.hex().upper()[:16], quote(secret, safe="")[:16]]
    return [*found, base64.b64encode(plain).decode()[:12], json.dumps(secret)[1:14], html.escape(secret)[:14]]


@pytest.mark.parametrize("form", FORMS)
def test_a_disguised_secret_leaves_by_no_exit(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    told = FORMS[form](SECRET)
    inside = {told: told} if form == "a key of an object" else [told] if form == "in a list" else told
    good = http("200 OK", json.dumps({"ok": inside}).encode())
    bad = http("400 Bad Request", json.dumps({"error": told, "details": [told], "code": told}).encode())
    first = http("200 OK", json.dumps({"things": [{"id": 1}], "next": "two"}).encode())
    refused = http("401 Unauthorized", json.dumps({"error": told, "details": {"key": told}}).encode())
    head = _head()
    caplog.set_level(logging.DEBUG)
    with raw_server(good, bad, first, refused, bad, repeat=False) as (base, _):
        world = own(tmp_path, GO, base, head=head, secrets={"key": SECRET})
        events: list[Any] = []

        async def everything(host: Any) -> list[Any]:
            results = [await host.run("acme", name, "own") for name in ("go", "go", "all")]
            results.append(await host.run("acme", "each", "own", {"ids": ["a"]}))
            bundle = await host.diagnose("own")
            history = [record.document() for record in await host.history()]
            audit = [record.document() for record in await host.audit.newest(50)]
            shown = await host.connections.show("own")
            return [*(result.document() for result in results), bundle, history, audit, shown, events]

        exits = world.use(everything)
    stored = b"".join(file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file()).decode("latin-1")
    printed = capsys.readouterr()
    texts = [json.dumps(one, ensure_ascii=False, default=str) for one in exits]
    texts += [json.dumps(one, default=str) for one in exits] + [stored, caplog.text, printed.out, printed.err]
    for text in texts:
        for trace in traces(SECRET):
            assert trace not in text, (form, trace)


def _head() -> str:
    from tests.own import HEAD

    return HEAD.replace("connection:\n", HEAD_ERRORS + "connection:\n")


@pytest.mark.parametrize(
    "shown", [PEM, PEM.strip(), PEM.replace("\n", "\r\n"), PEM.replace("\n", "\\n"), " ".join(PEM.split())]
)
def test_a_key_of_several_lines_is_masked_however_its_lines_end(tmp_path: Path, shown: str) -> None:
    answers = [
        http("200 OK", json.dumps({"ok": shown}).encode()),
        http("400 Bad", json.dumps({"error": shown}).encode()),
    ]
    with raw_server(*answers) as (base, _):
        world = own(tmp_path, GO, base, head=_head(), secrets={"key": PEM})
        for _ in answers:
            text = run(world, "go").json()
            assert "MIIEvQIBADANBgkqhkiG9w0" not in text


def test_a_secret_of_digits_is_masked_as_a_number_too(tmp_path: Path) -> None:
    with raw_server(http("200 OK", json.dumps({"pin": int(PIN), "n": 7}).encode())) as (base, _):
        result = run(own(tmp_path, GO, base, secrets={"key": PIN}), "go")
        assert result.raw_data == {"pin": "********", "n": 7}


OUTPUT = """
  make:
    title: Make
    request: {server: api, path: /make}
    output:
      type: object
      properties:
        id: {type: string}
        token: {type: string, writeOnly: true}
    key_fields: {Tokens: $.token}
"""


def test_an_output_that_is_a_secret_is_for_who_asked_alone(tmp_path: Path) -> None:
    body = json.dumps({"id": "T1", "token": "fresh-token-fresh-token"}).encode()
    with raw_server(http("200 OK", body)) as (base, _):
        world = own(tmp_path, OUTPUT, base)
        result = run(world, "make")
        assert result.raw_data["token"] == "fresh-token-fresh-token"
        [record] = world.use(lambda host: host.history())
    assert "fresh-token" not in json.dumps(record.document())
    assert "T1" in json.dumps(record.document())


LOGGER = '''"""Acme."""
import logging
from connector_host import command


@command
def tell(call):
    """Log with a logger of one's own."""
    logging.getLogger("acme.own").warning("the key is %s", call.connection["key"])
    try:
        raise ValueError(call.connection["key"])
    except ValueError:
        logging.getLogger("acme.own").exception("failed")
    return {"ok": True}
'''


def test_a_plugins_own_logger_is_masked_on_the_handlers(tmp_path: Path) -> None:
    import io

    world = own(tmp_path, "  tell:\n    title: Tell\n", code=LOGGER, secrets={"key": SECRET})
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        logs.install(handler)
        run(world, "tell")
    finally:
        root.removeHandler(handler)
    assert "the key is ********" in out.getvalue()
    assert SECRET not in out.getvalue()
    where = {
        **os.environ,
        "CONNECTOR_HOST_HOME": str(world.home),
        "CONNECTOR_HOST_MANIFEST": str(world.configuration.manifest),
    }
    command = [sys.executable, "-m", "connector_host", "test-command", "acme", "tell", "--connection", "own"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=where)
    assert done.returncode == 0
    assert SECRET not in done.stderr + done.stdout


def test_testing_an_unsaved_edit_keeps_the_saved_secret_out_of_the_log(tmp_path: Path) -> None:
    import io

    code = LOGGER.replace("acme.own", "connector_host.plugins")
    manifest = "  tell:\n    title: Tell\n    kind: test_connection\n"
    world = own(tmp_path, manifest, code=code, secrets={"key": SECRET})
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logging.getLogger("connector_host.plugins").addHandler(handler)

    async def both(host: Any) -> None:
        await host.run("acme", "tell", "own")
        await host.test_edit("own", Change(secrets={"key": "another-secret-of-the-edit"}))
        await host.run("acme", "tell", "own")

    try:
        world.use(both)
    finally:
        logging.getLogger("connector_host.plugins").removeHandler(handler)
    assert SECRET not in out.getvalue()
    assert "another-secret" not in out.getvalue()


def test_a_run_that_began_before_an_edit_logs_the_old_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = """
import logging
@command
async def slow(call):
    await call.sleep(0.3)
    logging.getLogger("connector_host.plugins").warning("the key is %s", call.connection["key"])
    return {}
@command
async def quick(call):
    return {}
"""
    commands = "\n  slow: {title: Slow, read_only: true}\n  quick: {title: Quick, read_only: true}\n"
    world = own(tmp_path, commands, code=code)

    async def edited_meanwhile(host: Any) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(host.run, "acme", "slow", "own")
            await anyio.sleep(0.1)
            await host.connections.edit("own", Change(secrets={"key": "another-secret-value"}))
            await host.run("acme", "quick", "own")

    with caplog.at_level(logging.WARNING):
        world.use(edited_meanwhile)
    assert "the key is ********" in caplog.text
    assert OWN not in caplog.text
