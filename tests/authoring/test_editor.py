"""Manifests in an editor: yaml-language-server completes keys, explains them, and underlines mistakes where they are.

It is a program of npm's; `YAML_LANGUAGE_SERVER` names it, or it stands on the PATH (npm install yaml-language-server).
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_host.authoring.scaffold import scaffold

SERVER = os.environ.get("YAML_LANGUAGE_SERVER") or shutil.which("yaml-language-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="yaml-language-server (npm) is not here")


class Editor:
    """An editor that speaks the Language Server Protocol over standard input and output."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._in, self._out = process.stdin, process.stdout
        self._count = 0
        self.heard: list[dict[str, Any]] = []

    def tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        while True:
            message = self.hear()
            if message.get("id") == self._count and "method" not in message:
                return message.get("result")

    def hear(self) -> dict[str, Any]:
        assert self._out is not None
        length = 0
        while line := self._out.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self._out.read(length))
        if "id" in message and "method" in message:
            answer = (
                [{"validate": True, "completion": True, "hover": True}]
                if message["method"] == "workspace/configuration"
                else None
            )
            self._send({"id": message["id"], "result": answer})
        self.heard.append(message)
        return message

    def _send(self, message: dict[str, Any]) -> None:
        assert self._in is not None
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self._in.flush()

    def problems(self, text: str, uri: str, version: int) -> list[dict[str, Any]]:
        """Open or change the document, and wait for what is underlined."""
        if version == 1:
            self.tell(
                "textDocument/didOpen", textDocument={"uri": uri, "languageId": "yaml", "version": 1, "text": text}
            )
        else:
            self.tell(
                "textDocument/didChange", textDocument={"uri": uri, "version": version}, contentChanges=[{"text": text}]
            )
        while True:
            message = self.hear()
            if message.get("method") == "textDocument/publishDiagnostics":
                return list(message["params"]["diagnostics"])


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    assert SERVER is not None
    process = subprocess.Popen([SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        made = Editor(process)
        made.ask(
            "initialize",
            processId=None,
            rootUri=None,
            capabilities={"textDocument": {"hover": {"contentFormat": ["markdown"]}}},
        )
        made.tell("initialized")
        settings = {"yaml": {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}}
        made.tell("workspace/didChangeConfiguration", settings=settings)
        yield made
    finally:
        process.kill()
        process.communicate()


def test_completion_hover_and_the_right_lines(editor: Editor, tmp_path: Path) -> None:
    scaffold("acme", tmp_path / "acme", None)
    file = tmp_path / "acme" / "manifest.yaml"
    text, uri = file.read_text("utf-8"), file.as_uri()
    assert editor.problems(text, uri, 1) == []

    wrong = text.replace("    read_only: true", "    read_olny: true", 1).replace("type: array", "type: aray", 1)
    lines = wrong.splitlines()
    found = {one["range"]["start"]["line"]: one["message"] for one in editor.problems(wrong, uri, 2)}
    misspelled, mistyped = (next(i for i, one in enumerate(lines) if word in one) for word in ("read_olny", "aray"))
    assert "read_olny" in found[misspelled]
    assert mistyped in found

    position = {"line": next(i for i, one in enumerate(lines) if one.startswith("    key_fields")), "character": 6}
    hover = editor.ask("textDocument/hover", textDocument={"uri": uri}, position=position)
    assert "Values that later steps of a playbook use" in json.dumps(hover)

    begun = f"{text}    de"
    editor.problems(begun, uri, 3)
    position = {"line": len(begun.splitlines()) - 1, "character": 6}
    offered = editor.ask("textDocument/completion", textDocument={"uri": uri}, position=position)
    labels = {one["label"] for one in (offered["items"] if isinstance(offered, dict) else offered)}
    assert {"deadline", "deprecated"} <= labels
