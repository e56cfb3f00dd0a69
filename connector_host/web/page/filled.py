"""What people filled in, as the values that parameters take."""

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.datastructures import FormData, UploadFile

from connector_host.host.settings import DateTimeSetting
from connector_host.host.text_values import read_text
from connector_host.host.times import parse_time
from connector_host.manifests.forms import Form, FormField
from connector_host.model.connection import Change, HealthCheck, VaultReference
from connector_host.model.errors import BadSetting
from connector_host.model.result import iso

_PEOPLE = ("allowed_users", "allowed_groups", "admin_users", "admin_groups")


def inputs_of(form: Form, data: FormData, times: DateTimeSetting) -> dict[str, Any]:
    """Return a command's inputs; a field that was left empty is left out, times are as their writer writes them."""
    found = {one.name: value for one in form.fields if (value := _value(one, data, f"i:{one.name}")) is not None}
    for one in form.fields:
        if one.widget == "date-time" and isinstance(found.get(one.name), str):
            moment = parse_time(found[one.name], times)
            found[one.name] = iso(moment) if moment is not None else found[one.name]
    return found


def files_of(form: Form, data: FormData) -> Iterator[tuple[str, UploadFile]]:
    """Return the files that were chosen, by their parameters."""
    for one in form.fields:
        value = data.get(f"i:{one.name}")
        if one.widget == "file" and isinstance(value, UploadFile) and value.filename:
            yield one.name, value


def change_of(form: Form, data: FormData, before: Mapping[str, Any] | None, version: int | None) -> Change:
    """Return the change that the connection window asks for; `before` is the connection as it stands."""
    parameters: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    vault: dict[str, VaultReference | None] = {}
    known = {} if before is None else before
    for one in form.fields:
        reference = _reference(data, one)
        value = None if reference else _value(one, data, f"p:{one.name}")
        if reference is not None or one.name in known.get("vault", {}):
            vault[one.name] = reference
        if value is not None:
            (secrets if one.sealed else parameters)[one.name] = value
        elif not one.sealed and reference is None and one.name in known.get("parameters", {}):
            parameters[one.name] = None
    removed = tuple(str(name) for name in data.getlist("remove_secret"))
    return Change(_fields(data, before), parameters, secrets, removed, vault, version)


def _fields(data: FormData, before: Mapping[str, Any] | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"description": _text(data, "f:description"), "active": "f:active" in data}
    fields |= {name: names_in(_text(data, f"f:{name}")) for name in _PEOPLE}
    if "f:site" in data:
        fields["site"] = _text(data, "f:site") or None
        fields["shared_to_internal_sites"] = "f:shared_to_internal_sites" in data
        fields["recipient_site"] = _text(data, "f:recipient_site") or None
        fields["tenants"] = tuple(str(one) for one in data.getlist("f:tenants") if one)
        fields["agent"] = _text(data, "f:agent") or None
    if before is not None and (name := _text(data, "f:name")) and name != before["name"]:
        fields["name"] = name
    fields["health_check"] = _health_check(data)
    return fields


def _health_check(data: FormData) -> HealthCheck | None:
    if "f:health_check" not in data:
        return None
    minutes, failures = _number(data, "f:interval_minutes", 5), _number(data, "f:failures_before_mail", 3)
    return HealthCheck(minutes, failures, names_in(_text(data, "f:recipients")))


def _number(data: FormData, name: str, default: int) -> int:
    text = _text(data, name)
    if text and not (text.isascii() and text.isdigit()):
        raise BadSetting(f"'{text[:20]}' is no whole number.")
    return int(text[:9]) if text else default


def _reference(data: FormData, one: FormField) -> VaultReference | None:
    vault = _text(data, f"v:{one.name}:vault")
    if not vault:
        return None
    return VaultReference(vault, _text(data, f"v:{one.name}:path"), _text(data, f"v:{one.name}:field"))


def _value(one: FormField, data: FormData, name: str) -> Any:
    if one.widget == "checkbox":
        return _text(data, name) == "true" if name in data else None
    if one.widget == "choices":
        return [_option(one, str(text)) for text in data.getlist(name)] or None
    text = _text(data, name, stripped=not one.sealed)
    if not text:
        return None
    if one.widget == "list" and not text.startswith("["):
        return [
            read_text(line.strip(), one.schema.get("items", {}), one.name) for line in text.splitlines() if line.strip()
        ]
    try:
        return _option(one, text) if one.options else read_text(text, one.schema, one.name)
    except RecursionError:
        raise BadSetting(f"{one.title} is nested beyond all use.") from None


def _option(one: FormField, text: str) -> Any:
    return next((option.value for option in one.options if str(option.value) == text), text)


def _text(data: FormData, name: str, *, stripped: bool = True) -> str:
    value = data.get(name, "")
    text = value if isinstance(value, str) else ""
    return text.strip() if stripped else text


def names_in(text: str) -> tuple[str, ...]:
    """Return names divided by commas or lines; a name may hold blanks."""
    return tuple(name for one in text.replace("\n", ",").split(",") if (name := one.strip()))
