"""JSON Schema: jsonschema-rs gives the verdict, jsonschema the reasons, and only when there are any."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any

from msgspec import Struct

from connector_host.manifests.patterns import ENDLESS, fault_of_pattern, matches, options
from connector_host.manifests.wording import did_you_mean, sentence_of

Path = tuple[str | int, ...]
_RULES = {"type": "wrong-type", "enum": "unknown-value", "const": "unknown-value", "pattern": "pattern", "not": "never"}
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DRAFTS = (_DRAFT, f"{_DRAFT}#")


class Fault(Struct, frozen=True):
    """One thing wrong with a value: where, why in a person's words, and whether there was a value at all.

    `rule` says of which kind it is, `allowed` what could stand there, `about` what the schema says of the place.
    """

    path: Path
    reason: str
    given: bool = True
    rule: str = "wrong-value"
    allowed: tuple[str, ...] = ()
    about: str = ""


_NO_SCHEMA = Fault((), "It is not a schema.")


class Checker:
    """A compiled schema; compiling is put off until the first value comes."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    @cached_property
    def _validator(self) -> Any:
        return _compiled(self.schema)

    def accepts(self, value: Any) -> bool:
        """Whether `value`, made of JSON's types only, satisfies the schema."""
        return bool(self._validator.is_valid(value))

    def faults(self, value: Any) -> Iterator[Fault]:
        """Return what is wrong with `value`, most telling first for each place."""
        seen: set[tuple[Path, str]] = set()
        found = islice(_explaining(self.schema).iter_errors(value), MOST_FAULTS)
        for error in sorted(found, key=_order):
            for fault in _reasons(error):
                if (fault.path, fault.reason) not in seen:
                    seen.add((fault.path, fault.reason))
                    yield fault
                if len(seen) == MOST_FAULTS:
                    return


MOST_FAULTS = 50  # that are told at once


def _explaining(schema: Mapping[str, Any]) -> Any:
    """Return jsonschema's validator, which gives reasons; its patterns run on the same engine as the verdict's."""
    import jsonschema  # noqa: PLC0415 - 70 ms that only a refusal pays

    def pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not matches(pattern, instance):
            yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")

    def pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Iterator[Any]:
        for pattern, subschema in patterns.items() if isinstance(instance, dict) else ():
            for name, child in instance.items():
                if matches(pattern, name):
                    yield from validator.descend(child, subschema, path=name, schema_path=pattern)

    keywords = {"pattern": pattern, "patternProperties": pattern_properties}
    made: Any = jsonschema.validators.extend(jsonschema.Draft202012Validator, keywords)  # type: ignore[no-untyped-call]
    return made(schema)


def _order(error: Any) -> tuple[bool, list[str]]:
    """Put what is wrong before what is missing, or should not be there: it is the more telling."""
    return error.validator in {"required", "not"}, [str(part) for part in error.absolute_path]


def fault_of_schema(schema: Any) -> Fault | None:
    """Return what is wrong with a schema (2020-12), or None: its form, what it refers to, and its patterns."""
    if not isinstance(schema, Mapping):
        return Fault((), "A schema must be an object.")
    import jsonschema_rs  # noqa: PLC0415 - the same

    if schema.get("$schema", _DRAFT) not in _DRAFTS:
        return Fault(("$schema",), f"A schema is of {_DRAFT}, and is never fetched.")
    schema = {**schema, "$schema": _DRAFT}
    if not jsonschema_rs.meta.is_valid(schema):
        return _fault_of_form(schema)
    for fault in _faults_of_patterns(schema, ()):
        return fault
    try:
        _compiled(schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        return Fault((), f"{str(error).splitlines()[0]}.")
    return None


def _compiled(schema: Mapping[str, Any]) -> Any:
    """Compile a schema; nothing is ever fetched to do so."""
    import jsonschema_rs  # noqa: PLC0415 - listing plugins needs no schema

    own = {**schema, "$schema": _DRAFT}
    return jsonschema_rs.Draft202012Validator(own, retriever=_refuse_retrieval, pattern_options=options())


def _refuse_retrieval(uri: str) -> Any:
    raise ValueError(f"it refers to {uri}, which stands outside")


def _fault_of_form(schema: Mapping[str, Any]) -> Fault:
    import jsonschema  # noqa: PLC0415 - only a refusal pays
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - the same

    meta = jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA)
    error = best_match(meta.iter_errors(schema))
    return next(_reasons(error), _NO_SCHEMA) if error else _NO_SCHEMA


def _faults_of_patterns(schema: Any, path: Path) -> Iterator[Fault]:
    """Find patterns that cannot be run."""
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            told = fault_of_pattern(value) if key == "pattern" and isinstance(value, str) else None
            if told is not None:
                yield Fault((*path, key), told, rule="pattern" if ENDLESS in told else "wrong-value")
            yield from _faults_of_patterns(value, (*path, key))
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _faults_of_patterns(value, (*path, index))


def _reasons(error: Any) -> Iterator[Fault]:
    """Return the faults of one jsonschema error; a failed choice is told by its nearest branch."""
    if error.validator in ("oneOf", "anyOf") and error.context:
        for nearer in _nearest_branch(error):
            yield from _reasons(nearer)
        return
    path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path and isinstance(error.instance, str):
        yield Fault((*path, error.instance), sentence_of(error), rule="wrong-name")
        return
    about = str(error.schema.get("description", "")) if isinstance(error.schema, Mapping) else ""
    if error.validator == "required":
        known = error.schema.get("properties", {})
        for name in [name for name in error.validator_value if name not in error.instance]:
            told = str(known.get(name, {}).get("description", "")) if isinstance(known.get(name), Mapping) else ""
            yield Fault((*path, name), "It is required, and missing.", given=False, rule="missing-key", about=told)
    elif error.validator == "additionalProperties" and isinstance(error.validator_value, bool):
        known = list(error.schema.get("properties", {}))
        for name in error.instance:
            if name not in known:
                reason = f"There is nothing of that name here.{did_you_mean(name, known)}"
                yield Fault((*path, name), reason, rule="unknown-key", allowed=tuple(known))
    else:
        options = error.validator_value if error.validator == "enum" else ()
        rule = _RULES.get(error.validator, "wrong-value")
        yield Fault(path, sentence_of(error), rule=rule, allowed=tuple(map(str, options)), about=about)


def _nearest_branch(error: Any) -> list[Any]:
    """Return what is wrong by the branch that was probably meant: the one that takes values of this type."""
    branches: dict[int, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting = [inner for inner in branches.values() if not _of_another_type(inner, error)]
    return max(fitting or list(branches.values()), key=_depth)


def _of_another_type(branch: list[Any], error: Any) -> bool:
    return any(
        one.absolute_path == error.absolute_path
        and (
            one.validator == "type"
            or (one.validator == "const" and type(one.validator_value) is not type(one.instance))
        )
        for one in branch
    )


def _depth(branch: list[Any]) -> int:
    return max(len(one.absolute_path) for one in branch)
