"""The workshop: where authors make, check, test, document and compare plugins. Nothing here is needed to run one."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from connector_host.configuration import bundled
from connector_host.contract.errors import ManifestError
from connector_host.contract.manifest import Manifest
from connector_host.contract.modules import MANIFEST
from connector_host.contract.ports import Surroundings
from connector_host.contract.problems import Level
from connector_host.contract.workshop import Comparison, Findings, Report, StandIn
from connector_host.kernel.manifests.loading import load_manifest, manifest_of
from connector_host.kernel.manifests.locales import localised
from connector_host.kernel.manifests.reading import Examination, examine
from connector_host.workshop.fixing import mend


class AuthorsWorkshop:
    """The workshop that comes with the host; each bench of it is imported when it is used."""

    def __init__(self, _surroundings: Surroundings) -> None:
        self._schemas = bundled() / "schemas"

    def new(self, plugin: str, folder: Path, openapi: str | None = None) -> Sequence[Path]:
        """Write a new plugin into a folder; raises WrongUse where that can not be done."""
        written: Sequence[Path] = _bench("workshop.scaffold").scaffold(plugin, folder, openapi)
        return written

    def validate(self, folder: Path, *, fix: bool = False) -> Findings:
        """Find all that is wrong with the plugin in a folder, and with `fix` mend what a machine can."""
        try:
            examination = examine(folder / MANIFEST, self._schemas)
        except ManifestError as error:
            return Findings(None, error.problems)
        mended = mend(examination.problems) if fix else 0
        if mended:
            return Findings(*self._found(examine(folder / MANIFEST, self._schemas), folder), mended=mended)
        return Findings(*self._found(examination, folder))

    def _found(self, examination: Examination, folder: Path) -> tuple[Manifest | None, tuple[Any, ...]]:
        problems = tuple(examination.problems)
        if any(problem.level is Level.ERROR for problem in problems):
            return None, problems
        return manifest_of(examination.value, folder, examination.outputs), problems

    def test(self, folder: Path) -> Report:
        """Run the conformance kit over the plugin in a folder; raises ManifestError."""
        report: Report = _bench("testing.kit").run_kit(folder)
        return report

    def page(self, folder: Path, language: str | None = None) -> str:
        """Return the documentation page (Markdown) of the plugin in a folder; raises ManifestError."""
        manifest = load_manifest(folder, self._schemas)
        text: str = _bench("workshop.page").page_of(localised(manifest, language) if language else manifest)
        return text

    def compare(self, old: Path, new: Path) -> Comparison:
        """Compare two versions of a plugin; raises ManifestError."""
        comparison: Comparison = _bench("workshop.comparing").compare(
            load_manifest(old, self._schemas), load_manifest(new, self._schemas)
        )
        return comparison

    def stand_in(self, manifest: Manifest) -> StandIn:
        """Return the plugin's own stand-in server, or one made of its samples; raises WrongUse where it has neither."""
        made: StandIn = _bench("testing.stand_in").stand_in_of(manifest)
        return made


def _bench(name: str) -> Any:
    return import_module(f"connector_host.{name}")
