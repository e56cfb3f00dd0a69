"""Uploads: bounded, private, and forgetful."""

import os
import time
from pathlib import Path

import pytest

from connector_host.host.settings import Limits
from connector_host.host.uploads import Uploads
from connector_host.model.errors import ConnectorHostError


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path, Limits(file_bytes=10, spool_bytes=25))


def test_a_file_comes_back_as_it_went_in(uploads: Uploads) -> None:
    file = uploads.find(uploads.put("../../etc/notes.txt", b"hello", "text/plain"))
    assert file is not None
    assert (file.name, file.media_type, file.size, file.read()) == ("notes.txt", "text/plain", 5, b"hello")


def test_a_file_and_all_of_them_have_a_limit(uploads: Uploads) -> None:
    with pytest.raises(ConnectorHostError, match="has 11 bytes; at most 10 are taken"):
        uploads.put("a", b"x" * 11)
    kept = uploads.put("a", b"x" * 10), uploads.put("b", b"x" * 10)
    with pytest.raises(ConnectorHostError, match="too many uploads: 20 of 25 bytes"):
        uploads.put("c", b"x" * 10)
    uploads.remove(kept[0])
    uploads.put("c", b"x" * 10)


def test_what_nobody_came_for_is_gone_after_a_day(uploads: Uploads, tmp_path: Path) -> None:
    old, young = uploads.put("a", b"1"), uploads.put("b", b"2")
    past = time.time() - 24 * 3600 - 1
    for file in (tmp_path / "uploads").rglob(f"{old.removeprefix('upload:')}.*"):
        os.utime(file, (past, past))
    uploads.put("c", b"3")
    assert uploads.find(old) is None
    assert uploads.find(young) is not None
    almost = time.time() - 24 * 3600 + 60
    for file in (tmp_path / "uploads").rglob(f"{young.removeprefix('upload:')}.*"):
        os.utime(file, (almost, almost))
    uploads.put("d", b"4")
    assert uploads.find(young) is not None


def test_a_reference_leads_nowhere_else(uploads: Uploads, tmp_path: Path) -> None:
    reference = uploads.put("a", b"1")
    key = reference.removeprefix("upload:")
    (tmp_path / "uploads" / key).mkdir()
    for other in (
        f"{reference}/../{key}",
        f" {reference}",
        f"{reference}\n",
        "upload:",
        "",
        "../uploads",
        reference.upper(),
    ):
        assert uploads.find(other) is None


def test_removing_leads_nowhere_else(uploads: Uploads, tmp_path: Path) -> None:
    other = tmp_path / "settings.json"
    other.write_text("{}")
    uploads.put("a", b"1")
    for reference in ("../settings", "upload:../settings", "upload:../../settings"):
        uploads.remove(reference)
    assert other.exists()
