"""`plugins diff`: what callers will notice of a plugin's new version, and which version number that asks for."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from connector_host.manifests.parameters import labelled_options
from connector_host.manifests.versions import release_of
from connector_host.model.manifest import Command, Manifest


class Difference(Struct, frozen=True):
    """One difference between two versions of a plugin, and the release it asks for: major, minor or patch."""

    at: str
    what: str
    release: str


class Comparison(Struct, frozen=True):
    """All differences, the release they ask for together, and whether the new version number is that high."""

    old: str
    new: str
    release: str
    enough: bool
    differences: tuple[Difference, ...] = ()


_RELEASES = ("none", "patch", "minor", "major")
_TIGHTER = ("minLength", "minItems", "minimum")
_LOOSER = ("maxLength", "maxItems", "maximum")
_CONSTRAINTS = ("pattern", "format", "multipleOf", "uniqueItems", "additionalProperties", "visible_if", "required_if")
_WEIGHED = {"type", "enum", "oneOf", "anyOf", "items", "default", "writeOnly", "deprecation", "deprecated"} | {
    *_TIGHTER, *_LOOSER, *_CONSTRAINTS,
}  # fmt: skip
_COMPARED = {"id", "version", "root", "commands", "connection"} | {
    "input", "output", "key_fields", "kind", "collect", "each", "failure_indicator", "deprecated",
}  # fmt: skip
_SEEN = {
    "responses": ("replies mean something else", "minor"),
    "failure_codes": ("failures have other status codes", "minor"),
    "intake": ("incidents and events are made otherwise", "minor"),
    "credential": ("another part of the answer is handed out", "minor"),
    "permissions": ("other permissions are needed", "minor"),
    "read_only": ("whether it only reads differs", "minor"),
    "destructive": ("whether it can be undone differs", "minor"),
    "idempotent": ("whether a repeat does harm differs", "minor"),
    "deadline": ("it may take another time", "minor"),
    "presets": ("choosing an option fills in something else", "minor"),
    "requires_host": ("another host is needed", "minor"),
    "request": ("another request is sent", "patch"),
}


def compare(old: Manifest, new: Manifest) -> Comparison:
    """Compare two versions of a plugin by semantic versioning: major breaks callers, minor adds, patch is the rest."""
    differences = tuple(_differences(old, new))
    release = max((one.release for one in differences), key=_RELEASES.index, default="none")
    reached = _reached(old.version, new.version)
    return Comparison(
        old.version, new.version, release, _RELEASES.index(reached) >= _RELEASES.index(release), differences
    )


def _reached(old: str, new: str) -> str:
    """Return which release a version number announces; before 1.0 a minor number may break."""
    first, second = release_of(old), release_of(new)
    if second <= first:
        return "none"
    if second[0] > first[0] or (first[0] == 0 and second[1] > first[1]):
        return "major"
    return "minor" if second[1] > first[1] else "patch"


def _differences(old: Manifest, new: Manifest) -> Iterator[Difference]:
    if old.id != new.id:
        yield Difference("id", f"it was {old.id}, and is {new.id}", "major")
    migrated = {name for one in new.migrations for name in (*one.rename, *one.remove, *one.set, *one.rename.values())}
    yield from _forms("connection", old.connection, new.connection, frozenset(migrated))
    for name, command in old.commands.items():
        at = f"commands.{name}"
        if name in new.commands:
            yield from _commands(at, command, new.commands[name])
        else:
            told = " (it was deprecated)" if command.deprecated else ""
            yield Difference(at, f"the command is gone{told}", "major")
    for name in new.commands.keys() - old.commands.keys():
        yield Difference(f"commands.{name}", "the command is new", "minor")
    yield from _rest("", old, new)
    if _code(old) != _code(new):
        yield Difference("commands.py", "the code differs", "patch")


def _code(manifest: Manifest) -> list[bytes]:
    files = [file for file in sorted(manifest.root.glob("*.py")) if not file.name.startswith(("sandbox", "test_"))]
    return [file.read_bytes() for file in files]


def _rest(at: str, old: Manifest | Command, new: Manifest | Command) -> Iterator[Difference]:
    """Tell of every other part that differs: whatever may change what callers see is more than a patch."""
    for part in fields(old):
        if part.name not in _COMPARED and getattr(old, part.name) != getattr(new, part.name):
            what, release = _SEEN.get(part.name, ("it differs", "patch"))
            yield Difference(f"{at}.{part.name}".removeprefix("."), what, release)


def _commands(at: str, old: Command, new: Command) -> Iterator[Difference]:
    yield from _forms(f"{at}.input", old.input, new.input)
    for name, path in old.key_fields.items():
        if name not in new.key_fields:
            yield Difference(f"{at}.key_fields.{name}", "the key field is gone", "major")
        elif new.key_fields[name] != path:
            yield Difference(f"{at}.key_fields.{name}", f"it was {path}, and is {new.key_fields[name]}", "major")
    for name in new.key_fields.keys() - old.key_fields.keys():
        yield Difference(f"{at}.key_fields.{name}", "the key field is new", "minor")
    for part in ("kind", "collect", "each"):
        if getattr(old, part) != getattr(new, part):
            yield Difference(f"{at}.{part}", f"it was {getattr(old, part)}, and is {getattr(new, part)}", "major")
    if old.failure_indicator != new.failure_indicator:
        yield Difference(f"{at}.failure_indicator", "playbooks that look for it will not find it", "major")
    yield from _outputs(f"{at}.output", old.output, new.output)
    if old.deprecated is None and new.deprecated is not None:
        yield Difference(at, "the command is deprecated", "minor")
    yield from _rest(at, old, new)


def _forms(
    at: str, old: Mapping[str, Any], new: Mapping[str, Any], migrated: frozenset[str] = frozenset()
) -> Iterator[Difference]:
    """Compare inputs: what was accepted must be accepted still. A migration takes care of stored connections."""
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        place = f"{at}.{name}"
        if name not in after:
            release = "minor" if name in migrated else "major"
            lost = "" if name in migrated or at != "connection" else ", and no migration says what becomes of it"
            yield Difference(place, f"the parameter is gone{lost}", release)
        else:
            yield from _parameters(place, schema, after[name])
    was, is_now = set(old.get("required", [])), set(new.get("required", []))
    for name in after.keys() - before.keys():
        breaking = name in is_now and "default" not in after[name] and name not in migrated
        yield Difference(
            f"{at}.{name}",
            f"the parameter is new{', and required' if breaking else ''}",
            "major" if breaking else "minor",
        )
    for name in (is_now - was) & before.keys():
        yield Difference(f"{at}.{name}", "it is required now", "major")
    for name in (was - is_now) & after.keys():
        yield Difference(f"{at}.{name}", "it is optional now", "minor")


def _parameters(at: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    if not _types(old) <= _types(new):
        yield Difference(at, f"it took {_listed(_types(old))}, and takes {_listed(_types(new))}", "major")
    elif _types(old) != _types(new):
        yield Difference(at, f"it takes {_listed(_types(new))} too", "minor")
    yield from _bounds(at, old, new)
    for word in _CONSTRAINTS:
        if old.get(word) != new.get(word):
            yield Difference(at, f"{word} differs", "minor" if new.get(word) is None else "major")
    if old.get("default") != new.get("default"):
        yield Difference(at, f"the default was {old.get('default')}, and is {new.get('default')}", "major")
    if bool(old.get("writeOnly")) != bool(new.get("writeOnly")):
        yield Difference(at, "whether it is a secret differs", "major" if old.get("writeOnly") else "minor")
    if "deprecation" in new and "deprecation" not in old:
        yield Difference(at, "the parameter is deprecated", "minor")
    if isinstance(old.get("items"), Mapping) and isinstance(new.get("items"), Mapping):
        yield from _parameters(f"{at}[*]", old["items"], new["items"])
    if any(old.get(word) != new.get(word) for word in old.keys() | new.keys() if word not in _WEIGHED):
        yield Difference(at, "words for people differ", "patch")


def _bounds(at: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    """Compare options and limits."""
    options, now = ([str(value) for value, _ in labelled_options(one)] for one in (old, new))
    gone = [one for one in options if one not in now] if now else []
    if gone or (now and not options):
        yield Difference(at, f"options are gone: {', '.join(gone) or 'any value was taken'}", "major")
    elif options and set(now) - set(options):
        yield Difference(at, f"options are new: {', '.join(one for one in now if one not in options)}", "minor")
    for word in (*_TIGHTER, *_LOOSER):
        was, is_now = old.get(word), new.get(word)
        if was != is_now:
            tighter = is_now is not None and (was is None or (is_now > was if word in _TIGHTER else is_now < was))
            yield Difference(at, f"{word} was {was}, and is {is_now}", "major" if tighter else "minor")


def _outputs(at: str, old: Any, new: Any) -> Iterator[Difference]:
    """Compare outputs: what was there must be there still."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if (old is None) != (new is None):
            yield Difference(at, "the output schema is gone" if new is None else "there is an output schema", "minor")
        return
    if not _types(new) <= _types(old):
        yield Difference(at, f"it was {_listed(_types(old))}, and may be {_listed(_types(new))}", "major")
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        if name not in after:
            yield Difference(f"{at}.{name}", "the field is gone", "major")
        else:
            yield from _outputs(f"{at}.{name}", schema, after[name])
    for name in after.keys() - before.keys():
        yield Difference(f"{at}.{name}", "the field is new", "minor")
    if "items" in old and "items" in new:
        yield from _outputs(f"{at}[*]", old["items"], new["items"])


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    kinds = schema.get("type")
    if kinds is None:
        return frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
    found = frozenset([kinds] if isinstance(kinds, str) else kinds)
    return found | {"integer"} if "number" in found else found


def _listed(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))
