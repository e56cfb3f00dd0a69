"""Checks a command's inputs, or a connection's parameters, against their schema and brings them into one form."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from connector_host.host.normal_forms import Normal, normal_form
from connector_host.host.redaction import MASK
from connector_host.host.settings import DateTimeSetting, Limits
from connector_host.host.times import is_local, parse_time
from connector_host.manifests.parameters import condition_in_words, holds
from connector_host.manifests.schema import Checker, Fault
from connector_host.manifests.wording import did_you_mean
from connector_host.model.invocation_errors import InvalidInput
from connector_host.model.manifest import Deprecation

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


class InputForm:
    """One command's inputs: defaults, options in any case, times in the host's format, then the schema's verdict."""

    def __init__(self, schema: Mapping[str, Any], date_time: DateTimeSetting, limits: Limits) -> None:
        self._checker = Checker(schema)
        self._properties: Mapping[str, Any] = schema.get("properties", {})
        self._at_least_one: list[list[str]] = schema.get("at_least_one", [])
        self._at_most_one: list[list[str]] = schema.get("at_most_one", [])
        self._defaults = {name: value["default"] for name, value in self._properties.items() if "default" in value}
        self._was = {value["was"]: name for name, value in self._properties.items() if "was" in value}
        self.secrets = {name for name, value in self._properties.items() if value.get("writeOnly")}
        self._date_time = date_time
        self._limits = limits
        self._normal: dict[str, Normal] = {
            name: normal for name, value in self._properties.items() if (normal := normal_form(value, self._time))
        }

    def accept(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return the inputs in their one form, and as JSON text without secrets.

        Raises InvalidInput in the specification's wording.
        """
        inputs = self._renamed(inputs)
        faults = list(self._unknown(inputs))
        known = {name: value for name, value in inputs.items() if name in self._properties}
        text = self._as_json(known if faults else inputs)
        if self.secrets & inputs.keys():
            text = _json({name: MASK if name in self.secrets else value for name, value in inputs.items()})
        values = {**self._defaults, **{name: value for name, value in known.items() if value is not None}}
        faults += self._normalise(values)
        wrong = {fault.parameter for fault in faults}
        for name in self._hidden(values) - inputs.keys():
            values.pop(name, None)  # a default of what is not there
        if not self._checker.accepts(values):
            faults += [fault for fault in self._refusals(values) if fault.parameter not in wrong]
            faults = faults or [self._refusal(Fault((), "The inputs do not satisfy the command's schema."))]
        faults += self._of_one_choice(known)
        _raise_all(faults)
        return values, text

    def _of_one_choice(self, given: Mapping[str, Any]) -> Iterator[InvalidInput]:
        """Tell where none is given of parameters that change something, and two of which the product takes one."""
        there = {name for name, value in given.items() if value not in (None, "", [], {})}
        for names in self._at_least_one:
            if not there & set(names):
                titles = ", ".join(map(self.title, names))
                yield InvalidInput(self.title(names[0]), f"At least one of these must be given: {titles}.")
        for names in self._at_most_one:
            chosen = [name for name in names if name in there]
            if len(chosen) > 1:
                titles = ", ".join(map(self.title, names))
                yield InvalidInput(self.title(chosen[1]), f"Of these one alone can be given: {titles}.")

    def _refusals(self, values: Mapping[str, Any]) -> Iterator[InvalidInput]:
        """Tell the most telling fault of each place; what hangs on another parameter that is wrong is not told."""
        found: dict[tuple[str | int, ...], Fault] = {}
        for fault in self._checker.faults(values):
            found.setdefault(fault.path, fault)
        itself = {fault.path[0] for fault in found.values() if fault.path and fault.rule not in _BY_OTHERS}
        for path, fault in found.items():
            schema = self._properties.get(str(path[0]), {}) if path else {}
            others = {*schema.get("visible_if", ()), *schema.get("required_if", ())}
            if fault.rule not in _BY_OTHERS or not others & itself:
                yield self._refusal(fault)

    def _normalise(self, values: dict[str, Any]) -> list[InvalidInput]:
        """Bring values into their one form; what has none is taken away, and told."""
        faults = []
        for name, normal in self._normal.items():
            if name in values:
                try:
                    values[name] = normal(name, values[name])
                except InvalidInput as error:
                    error.failure = replace(error.failure, pointer=pointer_of((name,)))
                    faults.append(error)
                    del values[name]
        return faults

    def warnings(self, inputs: Mapping[str, Any]) -> list[str]:
        """Return a warning for each deprecated parameter, and each old name, that is given."""
        old = [f"The input {was} is called {name} now." for was, name in self._was.items() if was in inputs]
        told = {name: self._properties[name].get("deprecation") for name in inputs if name in self._properties}
        return [
            *old,
            *(Deprecation(**one).told(f"The parameter {self.title(name)}") for name, one in told.items() if one),
        ]

    def _renamed(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the inputs with today's names in place of old ones."""
        if not self._was or not self._was.keys() & inputs.keys():
            return inputs
        for was, name in self._was.items():
            if was in inputs and name in inputs:
                raise InvalidInput(self.title(name), f"It is given twice: as {name}, and as {was}, its old name.")
        return {self._was.get(name, name): value for name, value in inputs.items()}

    def _hidden(self, values: Mapping[str, Any]) -> set[str]:
        """Names of the parameters that are not there, by their `visible_if`."""
        return {
            name
            for name, schema in self._properties.items()
            if "visible_if" in schema and not holds(schema["visible_if"], values)
        }

    def _unknown(self, inputs: Mapping[str, Any]) -> Iterator[InvalidInput]:
        for name in inputs:
            if name not in self._properties:
                shown = ascii(name)[1:-1] if isinstance(name, str) and not name.isprintable() else str(name)
                hint = did_you_mean(shown, list(self._properties))
                yield InvalidInput(shown, f"There is nothing of that name here.{hint}", pointer=pointer_of((name,)))

    def title(self, name: str) -> str:
        """Return what people call the parameter in an error."""
        schema = self._properties.get(name, {})
        return str(schema.get("error_title") or schema.get("title") or name)

    def _as_json(self, inputs: Mapping[str, Any]) -> str:
        """Return the inputs as JSON text; refuses what JSON has no word for, what is too deep and what is too large."""
        for name, value in inputs.items():
            if isinstance(value, dict | list) and _depth_exceeds(value, self._limits.input_depth):
                raise InvalidInput(self.title(name), f"It nests deeper than {self._limits.input_depth} levels.")
        try:
            text = _json(inputs)
        except (ValueError, TypeError):
            raise self._culprit(inputs) from None
        if len(text) > self._limits.input_bytes or len(text.encode()) > self._limits.input_bytes:
            largest = max(inputs, key=lambda name: len(str(inputs[name])))
            raise InvalidInput(self.title(largest), f"The inputs are larger than {self._limits.input_bytes} bytes.")
        return text

    def _culprit(self, inputs: Mapping[str, Any]) -> InvalidInput:
        """Find the parameter whose value JSON has no word for."""
        for name, value in inputs.items():
            try:
                _json(value)
            except UnicodeEncodeError:
                return InvalidInput(self.title(name), "It holds half a character (a lone surrogate).")
            except (ValueError, TypeError) as error:
                words = "a number that is none, or larger than any" if isinstance(error, ValueError) else str(error)
                return InvalidInput(self.title(name), f"JSON has no such value: {words}.")
        return InvalidInput("", "The inputs are not JSON.")

    def _refusal(self, fault: Fault) -> InvalidInput:
        name = str(fault.path[0]) if fault.path else ""
        inside = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.path[1:])
        reason = f"At {inside.lstrip('.')}: {fault.reason}" if inside else fault.reason
        if self._properties.get(name, {}).get("writeOnly") and fault.given:
            reason = "It does not have the form that the plugin asks for."  # the reason might quote the secret
        schema = self._properties.get(name, {})
        reason = self._in_context(schema, fault, reason)
        examples = schema.get("examples")
        assistance = f"Example: {_shown(examples[0])}" if examples else ""
        return InvalidInput(self.title(name), reason, assistance, pointer_of(fault.path))

    def _in_context(self, schema: Mapping[str, Any], fault: Fault, reason: str) -> str:
        """Return the reason in the parameter's own words: its pattern's, or the condition it hangs on."""
        if fault.rule == "pattern" and len(fault.path) == 1:
            return str(schema.get("pattern_message", reason))
        if fault.rule == "never" and "visible_if" in schema:
            return f"It is only there {self._condition(schema['visible_if'])}."
        if fault.rule == "missing-key" and "required_if" in schema:
            return f"It is required {self._condition(schema['required_if'])}, and missing."
        return reason

    def _condition(self, condition: Mapping[str, Any]) -> str:
        return condition_in_words(condition, self.title)

    def _time(self, name: str, value: Any) -> Any:
        """ISO 8601 in UTC with `Z`, from the host's format or from ISO 8601 (without an offset: the host's zone)."""
        if not isinstance(value, str):
            return value
        moment = parse_time(value.strip(), self._date_time)
        if moment is None:
            now = datetime.now(UTC).strftime(self._date_time.format)
            raise InvalidInput(
                self.title(name),
                f"'{value}' is not a time.",
                f"Write it as {now} ({self._date_time.time_zone}) or in ISO 8601, as 2026-01-31T08:00:00+01:00.",
            )
        text = moment.isoformat(timespec="auto" if moment.microsecond % 1000 else "milliseconds")
        return text.removesuffix("+00:00").removesuffix(".000") + "Z"

    def zones(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Return the host's time zone by the names of inputs whose time was written without an offset."""
        zone = self._date_time.time_zone
        times = [name for name, schema in self._properties.items() if schema.get("format") == "date-time"]
        return {name: zone for name in times if name in inputs and is_local(inputs[name], self._date_time)}


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _json(value: Any) -> str:
    text = _ENCODER.encode(value)
    text.encode()
    return text


def _shown(example: Any) -> str:
    return example if isinstance(example, str) else json.dumps(example)


MOST_FAULTS = 50
_BY_OTHERS = {"never", "missing-key"}  # rules of conditions on another parameter


def pointer_of(path: Iterable[str | int]) -> str:
    """Return a place as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _raise_all(faults: list[InvalidInput]) -> None:
    """Raise the first, which holds the others, where there is one."""
    if faults:
        faults[0].others = tuple(faults[1:MOST_FAULTS])
        raise faults[0]
