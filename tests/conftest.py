"""Fixtures that all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.world import FastClock, Sandbox, World, pagerduty_sandbox


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees, or writes into, the data folder of whoever runs it."""
    for name in ("DATABASE", "KEY", "MANIFEST"):
        monkeypatch.delenv(f"CONNECTOR_HOST_{name}", raising=False)
    monkeypatch.setenv("CONNECTOR_HOST_HOME", str(tmp_path / "home"))


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def world(tmp_path: Path, clock: FastClock) -> World:
    return World(tmp_path / "home", clock=clock)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with pagerduty_sandbox() as served:
        yield served


@pytest.fixture
def prod(world: World, sandbox: Sandbox) -> World:
    """A world with the connection `prod` to the sandbox."""
    world.add(sandbox.base)
    return world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what takes long to those who ask for it."""
    if "LONG" not in os.environ:
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="it takes long: LONG=1 runs it, as .ci/run does"))


# What no installing helps: it is run elsewhere by .ci/run, lies in no checkout, is for other kernels, or is no case.
EXPECTED_SKIPS = (
    "it takes long: LONG=1 runs it",
    "HOSTS names a folder with the environment",
    "cryptography has HPKE here",
    "are not in this repository",
    "are not published with the product",
    "PagerDuty's OpenAPI document",
    "nothing to look at",
    "its body was not recorded",
    "this kernel",
    "who manages the site's connections sees them",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    """With SKIPS_FAIL, as `.ci/run --all` sets it, a test that is skipped for want of a program has failed."""
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Any:
    """The same for files that are skipped as a whole."""
    return _without_skips((yield))


def _without_skips(report: Any) -> Any:
    if report.skipped and os.environ.get("SKIPS_FAIL"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(words in why for words in EXPECTED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"SKIPS_FAIL is set, and this was skipped. {why}"
    return report
