"""References of an OpenAPI document, within it and into files beside it, by the `referencing` library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from connector_host.authoring.openapi.reading import read_document
from connector_host.model.errors import WrongUse

_MOST_STEPS = 20


class References:
    """The document and the files that it refers to; none of them is fetched from elsewhere."""

    def __init__(self, file: Path) -> None:
        self.document = read_document(file)
        self._base = file.resolve().as_uri()
        self._folder = file.resolve().parent
        self._asked = ""
        self._refused: WrongUse | None = None
        root = Resource.from_contents(self.document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry(retrieve=self._read).with_resource(self._base, root)  # type: ignore[call-arg]

    def resolved(self, node: Any) -> Any:
        """Follow a $ref to what it refers to; raises WrongUse for what is not there, outside, or goes in a circle."""
        for _ in range(_MOST_STEPS):
            if not (isinstance(node, Mapping) and "$ref" in node):
                return node
            node = self._followed(str(node["$ref"]))
        raise WrongUse("The document's references go round in a circle.")

    def _followed(self, reference: str) -> Any:
        self._asked, self._refused = reference, None
        place = urljoin(self._base, reference)
        file, _ = urldefrag(place)
        try:
            found = self._registry.resolver(self._base).lookup(place).contents
        except Unresolvable:
            if self._refused is not None:
                raise self._refused from None
            raise WrongUse(f"The document refers to {reference}, which is not there.") from None
        return found if file == self._base else _absolute(found, file)

    def _read(self, uri: str) -> Resource[Any]:
        """Read a file beside the document; the library tells of a failure in its own words, so that ours are kept."""
        parts = urlsplit(uri)
        file = Path(unquote(parts.path))
        inside = parts.scheme == "file" and file.resolve().is_relative_to(self._folder) and file.is_file()
        try:
            contents = read_document(file, part=True) if inside else _outside(self._asked)
        except WrongUse as error:
            self._refused = error
            raise
        return Resource.from_contents(contents, default_specification=DRAFT202012)


def _absolute(node: Any, file: str) -> Any:
    """Return a part of another file with its references written so that they hold here."""
    if isinstance(node, list):
        return [_absolute(one, file) for one in node]
    if not isinstance(node, Mapping):
        return node
    made = {key: _absolute(value, file) for key, value in node.items()}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = urljoin(file, made["$ref"])
    return made


def _outside(reference: str) -> NoReturn:
    raise WrongUse(f"The document refers to {reference}, which stands outside. Bundle it into one file first.")
