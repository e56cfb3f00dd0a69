"""Reads and checks a plugin's manifest.yaml: strict YAML, the published schema, and what no schema can see."""

import json
import logging
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from msgspec import convert

from connector_host.manifests.command_files import take_in_files
from connector_host.manifests.functions import check_functions, check_sandbox
from connector_host.manifests.overlays import check_locales, resolve_likes
from connector_host.manifests.patterns import without_unusable
from connector_host.manifests.rules.commands import check_commands, check_samples
from connector_host.manifests.rules.migrations import check_migrations
from connector_host.manifests.rules.parameters import PATTERN, check_connection, check_parameters
from connector_host.manifests.rules.reach import Plugin
from connector_host.manifests.rules.requests import check_requests, check_servers
from connector_host.manifests.rules.uses import check_uses
from connector_host.manifests.schema import Checker, Fault
from connector_host.manifests.source_map import Document, Where, dotted
from connector_host.manifests.strict_yaml import MAX_BYTES, read_document, read_regular
from connector_host.manifests.wording import hint
from connector_host.model.errors import ManifestError
from connector_host.model.failure import Level, Problem, in_order
from connector_host.model.guarded import Guarded
from connector_host.model.manifest import Exemption

log = logging.getLogger("connector_host.plugins")
_PARTS = (("commands",), ("servers",))  # each of their members is checked by itself


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
    aside = {name: problem for problem in errors if (name := _command_with_pattern(problem)) is not None}
    commands = {name: one for name, one in examination.value.get("commands", {}).items() if name not in aside}
    if not commands or any(_command_with_pattern(problem) is None for problem in errors):
        if errors:
            raise ManifestError(errors)
        return examination.value, examination.outputs
    for problem in aside.values():
        log.warning("The command is set aside: %s", problem)
    return {**examination.value, "commands": commands}, examination.outputs


def _command_with_pattern(problem: Problem) -> str | None:
    """Return the command of whose input alone a problem is, where it is a pattern that cannot be run.

    Release 1.0 ran every pattern that Python can; a plugin of that time loads without the command.
    """
    parts = problem.at.split(".")
    return parts[1] if problem.rule == PATTERN and parts[0] == "commands" else None


def examine(file: Path, schemas: Path) -> Examination:
    """Read a manifest and find all that is wrong with it; raises ManifestError where nothing can be read of it."""
    document = read_document(file)
    take_in_files(document, file.parent)
    problems = list(document.problems)
    problems += resolve_likes(document)
    checker = manifest_schema(schemas)
    found = [] if checker.accepts(document.value) else list(checker.faults(document.value))
    faults = [fault for fault in found if not _only_misspelled(fault, found)]
    problems += [_schema_problem(document, fault) for fault in faults]
    value = _sound(document.value, found)
    if value is None:
        return Examination({}, {}, in_order(problems), document)
    outputs, missing = _output_schemas(document, value, file.parent)
    plugin = Plugin(document, value, outputs, frozenset(str(part) for fault in found for part in fault.path))
    broken = [*missing, *_check_rules(plugin), *check_locales(document, value)]
    exemptions = convert(value.get("exemptions", ()), list[Exemption])
    kept = [problem for problem in broken if not any(exempt.covers(problem.rule, problem.at) for exempt in exemptions)]
    return Examination(value, outputs, in_order([*problems, *kept]), document)


def _sound(value: Any, faults: list[Fault]) -> dict[str, Any] | None:
    """Return the value without the commands and servers that the schema refuses; None where nothing is left to check.

    What rules cannot do without is one of either: the connection, and at least one command.
    """
    if not isinstance(value, dict):
        return None
    wrong = {tuple(fault.path[:2]) if fault.path[:1] in _PARTS else tuple(fault.path[:1]) for fault in faults}
    rest = {key: part for key, part in value.items() if (key,) not in wrong}
    for (key,) in _PARTS:
        if isinstance(rest.get(key), dict):
            rest[key] = {name: part for name, part in rest[key].items() if (key, name) not in wrong}
    return rest if rest.get("connection") and rest.get("commands") else None


def _only_misspelled(missing: Fault, faults: list[Fault]) -> bool:
    """Whether what is missing is there, under a name close to its own."""
    beside = [fault for fault in faults if fault.rule == "unknown-key" and fault.path[:-1] == missing.path[:-1]]
    return missing.rule == "missing-key" and any(
        hint(str(fault.path[-1]), fault.allowed)[1] == missing.path[-1] for fault in beside
    )


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
            whole = _read_schema(folder, str(output["$ref"])) if "$ref" in output else output
            outputs[name], places = without_unusable(whole)
            problems += [_left_out(document, ("commands", name, "output", *place)) for place in places]
        except (OSError, ValueError) as error:
            cause = f"The schema '{output['$ref']}' cannot be used."
            reason = error.strerror if isinstance(error, OSError) else error
            where: Where = ("commands", name, "output", "$ref")
            advice = f"Reason: {reason}. It must be a JSON file in the plugin's folder."
            problems.append(document.problem(where, "missing-schema-file", cause, advice))
    return outputs, problems


def _left_out(document: Document, where: Where) -> Problem:
    cause = "This pattern needs an engine that can take for ever: answers are not held against it."
    advice = "Write it without look-arounds, \\Z and references back."
    return document.problem(where, PATTERN, cause, advice, level=Level.ADVICE)


def _read_schema(folder: Path, name: str) -> Any:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise OSError(1, "it lies outside the plugin's folder")
    return json.loads(read_regular(file, MAX_BYTES).decode())


def _check_rules(plugin: Plugin) -> list[Problem]:
    """Return every problem that the schema of manifests cannot see."""
    checks = (
        check_connection,
        check_migrations,
        check_parameters,
        check_servers,
        check_commands,
        check_requests,
        check_samples,
    )
    problems = [problem for check in checks for problem in check(plugin)]
    problems += check_functions(plugin.document, plugin.value, plugin.set_aside)
    problems += check_sandbox(plugin.document, plugin.value)
    wrong = any(problem.level is Level.ERROR for problem in problems)
    return problems if wrong else [*problems, *check_uses(plugin)]  # a name that is misspelt is used nowhere
