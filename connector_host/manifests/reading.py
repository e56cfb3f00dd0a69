"""Reads and checks a plugin's manifest.yaml: strict YAML, the published schema, and what no schema can see."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from connector_host.manifests.command_files import take_in_files
from connector_host.manifests.functions import check_functions, check_sandbox
from connector_host.manifests.overlays import check_locales, resolve_likes
from connector_host.manifests.rules.commands import check_commands, check_samples
from connector_host.manifests.rules.parameters import check_connection, check_parameters
from connector_host.manifests.rules.reach import Plugin
from connector_host.manifests.rules.requests import check_requests, check_servers
from connector_host.manifests.schema import Checker, Fault, hint
from connector_host.manifests.source_map import Document, Where, dotted
from connector_host.manifests.strict_yaml import read_document
from connector_host.model.errors import ManifestError
from connector_host.model.failure import Level, Problem, in_order
from connector_host.model.guarded import Guarded
from connector_host.model.manifest import Exemption

_ROUNDS = 12  # of taking away what is wrong, so that the rest can be checked too
_STAND_INS: dict[str, Any] = {
    "title": "?",
    "name": "?",
    "version": "0.0.0",
    "id": "unknown",
    "url": "https://unknown.example",
    "path": "/",
    "seconds": 60,
    "requests": 1,
    "writeOnly": True,
    "request": "GET /",
}


class Examination(Guarded, frozen=True):
    """What came of reading a plugin's folder: its manifest's value, its output schemas by command, its problems."""

    hidden: ClassVar[frozenset[str]] = frozenset({"document"})
    value: dict[str, Any]
    outputs: dict[str, Any]
    problems: list[Problem]
    document: Document


@cache
def manifest_schema(schemas: Path) -> Checker:
    """Return the published schema of plugin manifests, from the folder that holds the schemas."""
    return Checker(json.loads((schemas / "plugin-manifest.schema.json").read_text("utf-8")))


def read_manifest(file: Path, schemas: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the manifest's value and its output schemas by command, checked without running the plugin's code.

    Raises ManifestError with every error found, each with file:line:column, its cause and what to do.
    """
    examination = examine(file, schemas)
    errors = [problem for problem in examination.problems if problem.level is Level.ERROR]
    if errors:
        raise ManifestError(errors)
    return examination.value, examination.outputs


def examine(file: Path, schemas: Path) -> Examination:
    """Read a manifest and find all that is wrong with it; raises ManifestError where nothing can be read of it."""
    document = read_document(file)
    take_in_files(document, file.parent)
    problems = list(document.problems)
    problems += resolve_likes(document)
    checker = manifest_schema(schemas)
    value, faults = _without_faults(checker, document.value)
    problems += [_schema_problem(document, fault) for fault in faults]
    if not isinstance(value, dict) or not checker.accepts(value):
        return Examination({}, {}, in_order(problems), document)
    outputs, missing = _output_schemas(document, value, file.parent)
    plugin = Plugin(document, value, outputs, frozenset(_names_in(faults)))
    found = [*missing, *check_rules(plugin), *check_locales(document, value)]
    exemptions = [Exemption(**one) for one in value.get("exemptions", ())]
    kept = [one for one in found if not any(exempt.covers(one.rule, one.at) for exempt in exemptions)]
    return Examination(value, outputs, in_order([*problems, *kept]), document)


def _without_faults(checker: Checker, value: Any) -> tuple[Any, list[Fault]]:
    """Return the value without what the schema refuses (or with what was meant), and the faults."""
    if checker.accepts(value):
        return value, []
    value = copy.deepcopy(value)
    found = list(checker.faults(value))
    faults = [fault for fault in found if not _only_misspelled(fault, found)]
    for _ in range(_ROUNDS):
        for fault in sorted(found, key=lambda one: [str(part) for part in one.path], reverse=True):
            _mend(value, fault)
        if checker.accepts(value):
            break
        found = list(checker.faults(value))
    return value, faults


def _only_misspelled(missing: Fault, faults: list[Fault]) -> bool:
    """Whether what is missing is there, under a name close to its own."""
    beside = [one for one in faults if one.rule == "unknown-key" and one.path[:-1] == missing.path[:-1]]
    return missing.rule == "missing-key" and any(
        hint(str(one.path[-1]), one.allowed)[1] == missing.path[-1] for one in beside
    )


def _mend(value: Any, fault: Fault) -> None:
    """Put what was probably meant in a fault's place, else something that harms no other rule, else nothing."""
    *way, last = fault.path or (None,)
    for part in way:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(value, list) and isinstance(last, int) and last < len(value):
        del value[last]
    if not isinstance(value, dict):
        return
    wrong = value.pop(last, None)
    if fault.rule == "unknown-key":
        near = hint(str(last), fault.allowed)[1]
        if near and near not in value:
            value[near] = wrong
    elif fault.rule == "unknown-value" and fault.allowed:
        value[last] = hint(str(wrong), fault.allowed)[1] or fault.allowed[0]
    elif last in _STAND_INS and fault.rule != "wrong-name":
        value[last] = _STAND_INS[str(last)]
    elif not fault.given:
        value[last] = {}


def _names_in(faults: list[Fault]) -> set[str]:
    """Names that stand in what was taken away; no rule should call them undeclared."""
    return {str(part) for fault in faults for part in fault.path}


def _schema_problem(document: Document, fault: Fault) -> Problem:
    where: Where = fault.path
    inside = dotted(where[:-1]) or "the manifest"
    if fault.rule == "missing-key":
        cause = f"'{where[-1]}' is missing in {inside}: it is required."
        return document.problem(where, fault.rule, cause, fault.about or f"Add '{where[-1]}:'.", key=True)
    if fault.rule == "unknown-key":
        advice, near = hint(str(where[-1]), fault.allowed)
        cause = f"There is no key '{where[-1]}' in {inside}."
        fix = None if (*where[:-1], near) in document.keys else near
        return document.problem(where, fault.rule, cause, advice, key=True, allowed=fault.allowed, fix=fix)
    if fault.rule == "wrong-name":
        cause = f"'{where[-1]}' cannot be a name here: {fault.reason[:1].lower()}{fault.reason[1:]}"
        advice = "Names are small letters, digits and underscores, a letter first; people see the title."
        return document.problem(where, fault.rule, cause, advice, key=True)
    near = None
    advice = fault.about
    if fault.rule == "unknown-value":
        advice, near = hint(_last_of(document, where), fault.allowed)
    cause = f"'{dotted(where) or 'The manifest'}' is wrong: {fault.reason[:1].lower()}{fault.reason[1:]}"
    return document.problem(where, fault.rule, cause, advice, allowed=fault.allowed, fix=near)


def _last_of(document: Document, where: Where) -> str:
    value = document.value
    for part in where:
        value = value[part]
    return str(value)


def _output_schemas(document: Document, value: Any, folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Return the output schemas by command, those in files of their own among them."""
    outputs: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, command in value["commands"].items():
        output = command.get("output")
        if output is None:
            continue
        try:
            outputs[name] = _read_schema(folder, str(output["$ref"])) if "$ref" in output else output
        except (OSError, ValueError) as error:
            cause = f"The schema '{output['$ref']}' cannot be used."
            reason = error.strerror if isinstance(error, OSError) else error
            where: Where = ("commands", name, "output", "$ref")
            advice = f"Reason: {reason}. It must be a JSON file in the plugin's folder."
            problems.append(document.problem(where, "missing-schema-file", cause, advice))
    return outputs, problems


def _read_schema(folder: Path, name: str) -> Any:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise OSError(1, "it lies outside the plugin's folder")
    return json.loads(file.read_text("utf-8"))


def check_rules(plugin: Plugin) -> list[Problem]:
    """Return every problem that the schema of manifests cannot see."""
    checks = (check_connection, check_parameters, check_servers, check_commands, check_requests, check_samples)
    problems = [problem for check in checks for problem in check(plugin)]
    return problems + check_functions(plugin.document, plugin.value) + check_sandbox(plugin.document, plugin.value)
