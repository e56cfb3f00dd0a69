"""What authors are served with: making, checking, testing, documenting and comparing plugins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from connector_host.contract.connection import Change
from connector_host.contract.manifest import Manifest
from connector_host.contract.problems import Problem


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look at a plugin's folder found: the manifest where it can be used, its problems, how many were mended."""

    manifest: Manifest | None
    problems: tuple[Problem, ...] = ()
    mended: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the conformance kit, held against a plugin or one of its commands.

    `outcome` is passed, failed, exempt or not_applicable; `detail` says what was seen, or why it is exempt.
    """

    rule: str
    grade: str
    outcome: str
    about: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What the conformance kit found: every check, and the grade that follows (none, bronze to platinum)."""

    plugin: str
    version: str
    grade: str
    checks: tuple[Check, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two versions of a plugin, and the release it asks for: major, minor or patch."""

    at: str
    what: str
    release: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences, the release they ask for together, and whether the new version number is that high."""

    old: str
    new: str
    release: str
    enough: bool
    differences: tuple[Difference, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class StandIn:
    """A plugin's stand-in API server: what can be set, each as JSON Schema, and what makes the ASGI app.

    `connection(base)` gives what a connection to it needs; it raises WrongUse where the servers' URLs are no
    connection parameters.
    """

    options: Mapping[str, Any]
    build: Callable[..., Any]
    connection: Callable[[str], Change]


class Workshop(Protocol):
    """What authors are served with."""

    def new(self, plugin: str, folder: Path, openapi: str | None = None) -> Sequence[Path]:
        """Write a new plugin into a folder; raises WrongUse where that can not be done."""

    def validate(self, folder: Path, *, fix: bool = False) -> Findings:
        """Find all that is wrong with the plugin in a folder, and with `fix` mend what a machine can."""

    def test(self, folder: Path) -> Report:
        """Run the conformance kit over the plugin in a folder; raises ManifestError."""

    def page(self, folder: Path, language: str | None = None) -> str:
        """Return the documentation page (Markdown) of the plugin in a folder; raises ManifestError."""

    def compare(self, old: Path, new: Path) -> Comparison:
        """Compare two versions of a plugin; raises ManifestError."""

    def stand_in(self, manifest: Manifest) -> StandIn:
        """Return the plugin's own stand-in server, or one made of its samples; raises WrongUse where it has neither."""
