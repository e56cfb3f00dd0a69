"""Reads and checks a plugin's manifest.yaml: strict YAML, the published schema, and what no schema can see."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from connector_host.contract.errors import ManifestError, Problem
from connector_host.kernel.manifest_checks import check_manifest
from connector_host.kernel.schema import Checker
from connector_host.kernel.strict_yaml import Document, read_yaml


@cache
def manifest_schema(schemas: Path) -> Checker:
    """Return the published schema of plugin manifests, from the folder that holds the schemas."""
    return Checker(json.loads((schemas / "plugin-manifest.schema.json").read_text("utf-8")))


def read_manifest(file: Path, schemas: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the manifest's value and its output schemas by command, checked without running the plugin's code.

    Raises ManifestError with every problem found, each with file:line, what is wrong and what to do.
    """
    folder = file.parent
    document = read_yaml(file)
    checker = manifest_schema(schemas)
    if not checker.accepts(document.value):
        raise ManifestError(
            [_schema_problem(document, fault.path, fault.reason) for fault in checker.faults(document.value)]
        )
    references, problems = _load_references(document, folder)
    problems += check_manifest(document, references)
    if problems:
        raise ManifestError(sorted(problems, key=lambda problem: (problem.path, problem.line)))
    return document.value, references


def _schema_problem(document: Document, path: tuple[str | int, ...], reason: str) -> Problem:
    place = ".".join(map(str, path)) or "The manifest"
    return document.problem(path, f"'{place}' is wrong.", reason)


def _load_references(document: Document, folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Return the output schemas by command, those in files of their own among them."""
    outputs: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, command in document.value["commands"].items():
        output = command.get("output")
        if output is None:
            continue
        try:
            outputs[name] = _read_schema(folder, str(output["$ref"])) if "$ref" in output else output
        except (OSError, ValueError) as error:
            what = f"The schema '{output['$ref']}' can not be used."
            reason = error.strerror if isinstance(error, OSError) else error
            problems.append(document.problem(("commands", name, "output", "$ref"), what, f"Reason: {reason}."))
    return outputs, problems


def _read_schema(folder: Path, name: str) -> Any:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise OSError(1, "it lies outside the plugin's folder")
    return json.loads(file.read_text("utf-8"))
