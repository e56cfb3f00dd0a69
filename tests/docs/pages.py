"""A page of the documents as a reader follows it: every block in its order, in one shell, in an empty folder."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tests.openbao import free_port

_BLOCK = re.compile(r"^ {0,3}```(\w+)(?: exit=(\d+))?\n(.*?)^ {0,3}```", re.MULTILINE | re.DOTALL)
_MARK = "== block {} =="


NOTHING: Mapping[str, str] = {}


class Block(Struct, frozen=True):
    """One block: its language, the exit code a shell's last command must have, and its text."""

    kind: str
    exit_code: int
    text: str


def blocks_of(page: Path) -> list[Block]:
    return [Block(kind, int(code or 0), text) for kind, code, text in _BLOCK.findall(page.read_text("utf-8"))]


def follow(
    page: Path,
    folder: Path,
    *,
    replaced: Mapping[str, str] = NOTHING,
    environment: Mapping[str, str] = NOTHING,
    shims: Sequence[Path] = (),
    home: str | None = "home",
) -> None:
    """Run a page's blocks; raises AssertionError where one fails, or does not print what the page shows.

    Port 8765, and what else `replaced` names, is another one here, and is waited for where a line starts its server.
    """
    port, other = str(free_port()), str(free_port())
    script = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    blocks = blocks_of(page)
    for number, block in enumerate(blocks):
        text = block.text
        for written, here in {**replaced, "8765": port, "8766": other}.items():
            text = text.replace(written, here)
        script += [f"echo '{_MARK.format(number)}'", *_lines(block, text, port)]
    path = os.pathsep.join([*map(str, shims), str(Path(sys.executable).parent), os.environ["PATH"]])
    surroundings = {**os.environ, "PATH": path, "COLUMNS": "200", **environment}
    if home:
        surroundings["CONNECTOR_HOST_HOME"] = str(folder / home)
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=folder, env=surroundings, stdout=-1, stderr=-2, text=True, timeout=170
    )
    printed = re.split(r"== block \d+ ==\n", done.stdout)[1:]
    assert done.returncode == 0, f"{blocks[len(printed) - 1].text}\n{done.stdout[-3000:]}"
    shown = ""
    for block, output in zip(blocks, printed, strict=True):
        shown = output if block.kind == "sh" else shown
        if block.kind == "text":
            _compare(block.text, shown)


def _lines(block: Block, text: str, port: str) -> list[str]:
    if block.kind == "sh":
        waiting = f"&\nuntil (echo > /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done\n"
        text = re.sub(rf"({port}[^\n]*)(?<!&)&\n", lambda found: found[1] + waiting, text)
        return ["set +e", text, f"test $? = {block.exit_code} || exit 90", "set -e"] if block.exit_code else [text]
    named = re.match(r"# (at the end of )?([\w./~-]+\.\w+)\n", text)
    if named:
        into, file, content = (">>" if named[1] else ">"), named[2], text[named.end() :]
        return [f"mkdir -p '{Path(file).parent}'", f"cat {into} '{file}' <<'END_OF_BLOCK'", content + "END_OF_BLOCK"]
    return [f"python - <<'END_OF_BLOCK'\n{text}END_OF_BLOCK"] if block.kind == "python" else []


def _compare(expected: str, printed: str) -> None:
    """Hold each line against what was printed, whatever stands between its words."""
    smooth = re.sub(r"[\s│┃]+", " ", printed)
    for line in expected.splitlines():
        assert " ".join(line.split()) in smooth, f"{line}\nis not in\n{printed}"
