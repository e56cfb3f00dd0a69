"""Values as people enter them, from any source: what editors and shells leave is cut and said, the rest refused."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from connector_host.model.connection import Change
from connector_host.model.errors import BadSetting
from connector_host.model.manifest import Manifest

Tell = Callable[[str], None]
_MASKED = re.compile(r"\S{0,4}[*•●]{4,}\S{0,4}|[*•●]+")
_BYTE_ORDER_MARK = "\ufeff"


def entered_change(manifest: Manifest, change: Change, tell: Tell) -> Change:
    """Return a change with its values as they are kept; raises BadSetting naming the parameter."""
    properties = manifest.connection["properties"]
    parts = {
        part: {name: entered(value, properties.get(name, {}), name, tell) for name, value in given.items()}
        for part, given in (("parameters", change.parameters), ("secrets", change.secrets))
    }
    return replace(change, **parts)


def entered(value: Any, schema: Mapping[str, Any], name: str, tell: Tell) -> Any:
    """Return a value as it is kept, each text in it.

    Line ends at the end and a byte-order mark are cut, and told; a `multiline` parameter keeps one at its end. Other
    blanks at the ends are refused, unless the manifest says `blanks: kept`; so are masks, and what `look_alikes` says
    is surely something else. Raises BadSetting, which quotes no value.
    """
    if isinstance(value, Mapping):
        return {key: entered(child, schema, name, tell) for key, child in value.items()}
    if isinstance(value, list):
        return [entered(child, schema, name, tell) for child in value]
    if not isinstance(value, str) or not value:
        return value
    title = str(schema.get("title", name))
    kept = _cut(value, schema, title, tell)
    if kept.strip("\r\n") != kept.strip() and schema.get("blanks") != "kept":
        raise BadSetting(f"The value for parameter ({title}) begins or ends with a blank. Enter it without.")
    if schema.get("writeOnly") and _MASKED.fullmatch(kept.strip()):
        raise BadSetting(
            f"The value for parameter ({title}) is a mask, as programs show secrets, and not the secret itself."
        )
    if schema.get("writeOnly") and not schema.get("multiline"):
        _refuse_unseen(kept, title)
    _refuse_look_alikes(kept, schema, title)
    return kept


def _cut(value: str, schema: Mapping[str, Any], title: str, tell: Tell) -> str:
    kept = value.removeprefix(_BYTE_ORDER_MARK).rstrip("\r\n")
    if kept != value.rstrip("\r\n"):
        tell(f"{title}: a byte-order mark before the value was cut.")
    if not schema.get("multiline"):
        if kept != value.removeprefix(_BYTE_ORDER_MARK):
            tell(f"{title}: a line end after the value was cut.")
        return kept
    return f"{kept}\n" if kept else kept


def _refuse_unseen(secret: str, title: str) -> None:
    """Refuse what nobody means in a secret; its place says where to look, and nothing of it is quoted.

    Line breaks stay: a plugin may take a key of several lines without saying `multiline`.
    """
    for place, character in enumerate(secret, 1):
        if not character.isprintable() and character not in "\r\n\t":
            raise BadSetting(
                f"The value for parameter ({title}) holds a character that cannot be seen (U+{ord(character):04X}) "
                f"at place {place}. Enter it without."
            )


def _refuse_look_alikes(value: str, schema: Mapping[str, Any], title: str) -> None:
    from connector_host.manifests.patterns import matches  # noqa: PLC0415 - only entering values needs them

    for one in schema.get("look_alikes", ()):
        if matches(one["pattern"], value):
            raise BadSetting(f"The value for parameter ({title}) is invalid. {one['message']}")


def contradicting_presets(manifest: Manifest, parameters: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each value that is another option's preset than the one chosen."""
    found = []
    properties = manifest.connection["properties"]
    for chooser, options in manifest.presets.items():
        chosen = parameters.get(chooser, properties[chooser].get("default"))
        for option, preset in options.items():
            for name, value in preset.items():
                own = options.get(str(chosen), {}).get(name)
                if option != chosen and parameters.get(name) == value != own and own is not None:
                    title, of = properties[name].get("title", name), properties[chooser].get("title", chooser)
                    found.append(f"{of} is {chosen}, and {title} is that of {option} ({value}).")
    return found
