"""Makes a manifest of operations in an OpenAPI 3 document; what of them it cannot hold is said at its head."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import yaml
from jsonschema.exceptions import UnknownType

from connector_host.authoring.openapi.access import access_of, needs_credentials
from connector_host.authoring.openapi.commands import HEADERS_OF_OURS, command_of
from connector_host.authoring.openapi.document import OpenApi, Operation, sentence, snake
from connector_host.authoring.openapi.paging import size_parameter_of
from connector_host.model.errors import WrongUse
from connector_host.model.invocation_errors import RequestRefused

_TESTS = (
    re.compile(r"abilit|ping|whoami", re.IGNORECASE),
    re.compile(r"/me$|current|status|health|version", re.IGNORECASE),
)
_MISREAD = (AttributeError, KeyError, IndexError, RecursionError, RequestRefused, TypeError, UnknownType, ValueError)


def manifest_from_openapi(plugin: str, source: str) -> tuple[str, dict[str, str]]:
    """Return the manifest's YAML, and the output schemas' files by name; raises WrongUse."""
    file, _, names = source.partition("#")
    with _as_described(f"The document {file}"):
        return _manifest(plugin, file, names)


def _manifest(plugin: str, file: str, names: str) -> tuple[str, dict[str, str]]:
    api = OpenApi(file)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        known = ", ".join(sorted(api.operations))
        raise WrongUse(f"Name the operations to take: {file}#op1,op2. There are: {known}.")
    taken = api.chosen(wanted)
    commands: dict[str, dict[str, Any]] = {}
    refused: list[str] = []
    for one in taken:
        try:
            commands[_free_name(commands, one)] = _command(api, one)
        except WrongUse as error:
            refused.append(str(error))
    if refused:
        raise WrongUse("\n".join(refused))
    test = next(_tests(api, taken), None)
    if test is None:
        api.left_out.append("a Test Connection: no GET without inputs needs the credentials.")
    else:
        commands.setdefault("test_connection", test)
    files: dict[str, str] = {}
    for name, command in commands.items():
        output = command["output"]
        files[f"schemas/{name}.schema.json"] = json.dumps(output, indent=1, ensure_ascii=False) + "\n"
        command["output"] = {"$ref": f"schemas/{name}.schema.json"}
    left_out = "".join(f"# Left out: {_on_one_line(one)}\n" for one in dict.fromkeys(api.left_out))
    return left_out + _yaml({**_head(plugin, api, taken), "commands": commands}), files


def _on_one_line(text: str) -> str:
    """Return a text as it can stand in a comment: what a document's names hold ends none."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _free_name(commands: Mapping[str, Any], operation: Operation) -> str:
    if snake(operation.id) in commands:
        raise WrongUse(f"Two operations would be the command '{snake(operation.id)}'. Leave '{operation.id}' out.")
    return snake(operation.id)


def _command(api: OpenApi, operation: Operation) -> dict[str, Any]:
    with _as_described(f"The operation '{operation.id}'"):
        return command_of(api, operation)


@contextmanager
def _as_described(what: str) -> Iterator[None]:
    """Raise WrongUse where a document is not what OpenAPI says it is."""
    try:
        yield
    except _MISREAD as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise WrongUse(
            f"{what} is not described as OpenAPI has it ({type(error).__name__}: {reason}). "
            f"Check the document with a validator, or leave it out."
        ) from error


def _head(plugin: str, api: OpenApi, operations: Sequence[Operation]) -> dict[str, Any]:
    info, access = api.document.get("info", {}), access_of(api, operations)
    title = str(info.get("title", plugin)).removesuffix(" API")
    return {
        "id": plugin,
        "name": title,
        "version": "0.1.0",
        "requires_host": ">=1,<2",
        "description": sentence(info.get("summary") or f"Commands of the {title} API"),
        "servers": access.servers,
        "errors": {"code": ["$.error.code", "$.code"], "message": ["$.error.message", "$.message", "$.error"]},
        "connection": {"required": list(access.parameters), "properties": access.parameters},
    }


def _tests(api: OpenApi, taken: Sequence[Operation]) -> Iterator[dict[str, Any]]:
    """Return commands that test a connection: GETs without required parameters that need the credentials.

    What sounds so comes first. Where nobody need show who they are, any will do.
    """
    open_to_all = not any(needs_credentials(api, one) for one in taken)
    free = [
        one
        for one in api.operations.values()
        if one.method == "GET"
        and not any(_demanded(parameter) for parameter in one.parameters)
        and (open_to_all or needs_credentials(api, one))
    ]
    for one in sorted(free, key=lambda one: (*(not sound.search(one.path) for sound in _TESTS), len(one.path))):
        with suppress(WrongUse), _as_described(one.id):
            access_of(api, [*taken, one])
            before = list(api.left_out)
            made = _as_test(command_of(api, one), size_parameter_of(one))
            api.left_out = before  # what a test does not ask for is nobody's loss
            yield made


def _demanded(parameter: Mapping[str, Any]) -> bool:
    return bool(parameter.get("required")) and parameter["name"].lower() not in HEADERS_OF_OURS


def _as_test(command: dict[str, Any], size_parameter: str | None) -> dict[str, Any]:
    """Return a command as a test, which asks for one page at most."""
    about = {"title": "Test Connection", "kind": "test_connection"}
    about["description"] = "Checks that the server answers and takes the credentials."
    kept = {key: value for key, value in command.items() if key not in {"title", "description", "input", "key_fields"}}
    paged = kept["request"].pop("paging", None)
    for part in ("query", "headers"):
        kept["request"].pop(part, None)
    if paged and size_parameter:
        kept["request"]["query"] = {size_parameter: 1}
    return {**about, **kept}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        """Write everything out: the strict reader takes no anchors."""
        return True


def _yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
