"""What others wrote and stands in the page: as npm has it, with its licence; and what the wheel carries."""

import hashlib
import tomllib

import pytest

from connector_host.web.page.pages import HERE

VENDOR = HERE / "static" / "vendor"
WRITTEN = tomllib.loads((VENDOR / "vendor.toml").read_text("utf-8"))


@pytest.mark.parametrize("name", WRITTEN["sha256"])
def test_each_file_is_as_it_was_taken(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == WRITTEN["sha256"][name]


def test_each_stands_beside_its_licence_in_a_folder_of_its_version() -> None:
    folders = {folder.name for folder in VENDOR.iterdir() if folder.is_dir()}
    assert folders == {f"{name}-{one['version']}" for name, one in WRITTEN.items() if name != "sha256"}
    for folder in folders:
        assert (VENDOR / folder / "LICENSE").read_text("utf-8")
    files = {str(file.relative_to(VENDOR)) for file in VENDOR.rglob("*") if file.suffix in (".js", ".css")}
    assert files == set(WRITTEN["sha256"])


def test_a_window_is_small() -> None:
    """150 KB for a page, uncompressed: what others wrote, the look and the script, and a list of fifty."""
    own = sum((HERE / "static" / name).stat().st_size for name in ("look.css", "page.js", "icon.svg"))
    assert own + sum((VENDOR / name).stat().st_size for name in WRITTEN["sha256"]) <= 110_000
