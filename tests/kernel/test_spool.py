"""The spool of files: bounded, private, and forgetful."""

import os
import time
from pathlib import Path

import pytest

from connector_host import ConnectorHostError
from connector_host.kernel.settings import Limits
from connector_host.kernel.spool import FileSpool


@pytest.fixture
def spool(tmp_path: Path) -> FileSpool:
    return FileSpool(tmp_path, Limits(file_bytes=10, spool_bytes=25))


def test_a_file_comes_back_as_it_went_in(spool: FileSpool) -> None:
    file = spool.find(spool.put("../../etc/notes.txt", b"hello", "text/plain"))
    assert file is not None
    assert (file.name, file.media_type, file.size, file.read()) == ("notes.txt", "text/plain", 5, b"hello")


def test_a_file_and_all_of_them_have_a_limit(spool: FileSpool) -> None:
    with pytest.raises(ConnectorHostError, match="has 11 bytes; at most 10 are taken"):
        spool.put("a", b"x" * 11)
    kept = spool.put("a", b"x" * 10), spool.put("b", b"x" * 10)
    with pytest.raises(ConnectorHostError, match="The spool is full: 20 of 25 bytes"):
        spool.put("c", b"x" * 10)
    spool.remove(kept[0])
    spool.put("c", b"x" * 10)


def test_what_nobody_came_for_is_gone_after_a_day(spool: FileSpool, tmp_path: Path) -> None:
    old, young = spool.put("a", b"1"), spool.put("b", b"2")
    past = time.time() - 24 * 3600 - 1
    for file in (tmp_path / "spool").glob(f"{old.removeprefix('spool:')}.*"):
        os.utime(file, (past, past))
    spool.put("c", b"3")
    assert spool.find(old) is None
    assert spool.find(young) is not None
    almost = time.time() - 24 * 3600 + 60
    for file in (tmp_path / "spool").glob(f"{young.removeprefix('spool:')}.*"):
        os.utime(file, (almost, almost))
    spool.put("d", b"4")
    assert spool.find(young) is not None


def test_a_reference_leads_nowhere_else(spool: FileSpool, tmp_path: Path) -> None:
    reference = spool.put("a", b"1")
    key = reference.removeprefix("spool:")
    (tmp_path / "spool" / key).mkdir()
    for other in (
        f"{reference}/../{key}",
        f" {reference}",
        f"{reference}\n",
        "spool:",
        "",
        "../spool",
        reference.upper(),
    ):
        assert spool.find(other) is None
