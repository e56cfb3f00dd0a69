"""`plugins preview`: a plugin's forms, page, problems and grade, anew whenever a file changes."""

import time
from pathlib import Path

import httpx2
import pytest

from connector_host.authoring.scaffold import scaffold
from tests.web.conftest import started


def waited(client: httpx2.Client, words: str, seconds: float = 60) -> str:
    until = time.monotonic() + seconds
    while words not in (text := client.get("/").text):
        assert time.monotonic() < until, text
        time.sleep(0.2)
    return text


@pytest.mark.timeout(180)
def test_what_an_author_sees_follows_their_files(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    scaffold("acme", folder, None)
    manifest = folder / "manifest.yaml"
    text = manifest.read_text("utf-8")
    with started("plugins", "preview", str(folder), "--port", "0", expect=r"Look at it: (\S+)") as base:
        client = httpx2.Client(base_url=base, trust_env=False, timeout=30)
        shown = waited(client, "grade platinum")
        assert "No problems." in shown
        assert "unsafe" not in client.get("/").headers["Content-Security-Policy"]
        manifest.write_text(text.replace("title: Get Ticket", "title: Get <b>One</b> Ticket"), "utf-8")
        shown = waited(client, "Get &lt;b&gt;One&lt;/b&gt; Ticket")
        manifest.write_text(text.replace("connection:", "conection:", 1), "utf-8")
        waited(client, "problem")
        manifest.write_text(text, "utf-8")
        shown = waited(client, "grade platinum")
        seen = shown.partition("/now?seen=")[2].partition('"')[0]
        assert client.get(f"/now?seen={seen}").status_code == 204
        assert client.get("/", headers={"Host": "evil.example.com"}).status_code == 421
        client.close()
