"""The declared request's data language: a path is looked up, `{$.path}` is placed inside a string, nothing else.

No if, no functions: the moment a command wants one, it is Python.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from connector_host.model.authoring import path_part
from connector_host.model.invocation_errors import RequestRefused
from connector_host.model.paths import ABSENT, compile_path

Fill = Callable[[Mapping[str, Any]], Any]
_PLACED = re.compile(r"\{(\$[^{}]*)\}")
SPREAD = "..."
EACH = "[*]"
JOIN = " join "


def _in_text(value: Any, separator: str, template: str) -> str:
    """Return a value as it stands inside a text: in JSON's words; a list needs to be joined (`{$.path join ,}`)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and separator:
        return separator.join(_in_text(one, "", template) for one in value)
    if isinstance(value, list | dict):
        raise RequestRefused(
            f"A {'list' if isinstance(value, list) else 'mapping'} cannot stand inside the text {template}.",
            assistance="Join a list in the manifest: {$.path join ,}.",
        )
    return json.dumps(value)


def compile_value(template: Any) -> Fill:
    """Compile any value: what is absent drops its key, and so does an object within whose paths are all absent.

    The key "..." spreads an object into its place. The key "[*]" makes a list: one object for each element of the list
    it names, which is `$.element` there.
    """
    return _compile(template, within=False)


def _compile(template: Any, *, within: bool) -> Fill:
    if isinstance(template, Mapping) and EACH in template:
        return _compile_list(template)
    if isinstance(template, Mapping):
        return _compile_object(template, within=within)
    if isinstance(template, list):
        fills = [_compile(child, within=True) for child in template]
        return lambda roots: [value for fill in fills if (value := fill(roots)) is not ABSENT]
    if isinstance(template, str):
        return _compile_text(template)
    return lambda _roots: template


def compile_path_template(template: str) -> Callable[[Mapping[str, Any]], str]:
    """Compile a request's path: each part placed is percent-encoded and must be there.

    `{$.input.path...}` places several parts, divided by slashes, each encoded by itself.
    """
    pieces = _PLACED.split(template)
    paths = [(compile_path(text.removesuffix(SPREAD)), text.endswith(SPREAD)) for text in pieces[1::2]]

    def fill(roots: Mapping[str, Any]) -> str:
        filled = list(pieces)
        for index, (path, several) in enumerate(paths):
            value = path.first(roots)
            if value is ABSENT or value is None:
                raise RequestRefused(f"'{pieces[2 * index + 1]}' in the path {template} has no value.")
            value = _in_text(value, "", template)
            parts = value.strip("/").split("/") if several else [value]
            filled[2 * index + 1] = "/".join(map(path_part, parts))
        return "".join(filled)

    return fill


def _compile_list(template: Mapping[str, Any]) -> Fill:
    elements = compile_value(template[EACH])
    one = compile_value({key: value for key, value in template.items() if key != EACH})

    def fill(roots: Mapping[str, Any]) -> Any:
        found = elements(roots)
        if not isinstance(found, list):
            return ABSENT
        return [one({**roots, "element": element}) for element in found]

    return fill


def _compile_object(template: Mapping[str, Any], *, within: bool) -> Fill:
    fills = [(key, _compile(value, within=True), _has_path(value)) for key, value in template.items()]
    wants_one = within and any(has_path for _, _, has_path in fills)

    def fill(roots: Mapping[str, Any]) -> Any:
        filled: dict[str, Any] = {}
        found = not wants_one
        for key, value_of, has_path in fills:
            value = value_of(roots)
            if value is ABSENT:
                continue
            found = found or has_path
            if key == SPREAD:
                filled.update(value if isinstance(value, Mapping) else {})
            else:
                filled[key] = value
        return filled if found else ABSENT

    return fill


def _has_path(template: Any) -> bool:
    if isinstance(template, Mapping):
        return any(map(_has_path, template.values()))
    if isinstance(template, list):
        return any(map(_has_path, template))
    return isinstance(template, str) and (template.startswith("$.") or bool(_PLACED.search(template)))


def _compile_text(template: str) -> Fill:
    if template.startswith("$.") or template == "$":
        return compile_path(template).first
    pieces = _PLACED.split(template)
    if len(pieces) == 1:
        return lambda _roots: template
    placed = [text.partition(JOIN) for text in pieces[1::2]]
    paths = [(compile_path(path), separator) for path, _, separator in placed]

    def fill(roots: Mapping[str, Any]) -> Any:
        values = [(path.first(roots), separator) for path, separator in paths]
        if any(value is ABSENT or value is None for value, _ in values):
            return ABSENT
        filled = list(pieces)
        filled[1::2] = [_in_text(value, separator, template) for value, separator in values]
        return "".join(filled)

    return fill
