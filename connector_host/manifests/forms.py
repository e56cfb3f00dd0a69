"""Forms: what people fill in for a connection or a command, in order; every surface draws from them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field, to_builtins

from connector_host.manifests.parameters import labelled_options, several, standard_schema
from connector_host.model.manifest import Command, Manifest

WIDGETS = (
    "text",
    "secret",
    "multiline",
    "number",
    "checkbox",
    "choice",
    "choices",
    "list",
    "json",
    "date-time",
    "file",
    "url",
    "email",
)


class FormOption(Struct, frozen=True):
    """One value that can be chosen, and what people see."""

    value: Any
    label: str


class FormField(Struct, frozen=True):
    """One field. `widget` is one of WIDGETS; `needed_by` names the commands that cannot do without it.

    A `sealed` one is a secret. `visible_if` and `required_if` hang on other fields' values; `options_from` says that
    the options are fetched (Session.choices). `schema` is JSON Schema's own part of the parameter.
    """

    name: str
    title: str
    help: str
    widget: str
    required: bool = False
    sealed: bool = False
    advanced: bool = False
    default: Any = None
    options: tuple[FormOption, ...] = ()
    options_from: Mapping[str, Any] | None = None
    examples: tuple[Any, ...] = ()
    placeholder: str = ""
    group: str = ""
    pattern_message: str = ""
    visible_if: Mapping[str, Any] = field(default_factory=dict)
    required_if: Mapping[str, Any] = field(default_factory=dict)
    needed_by: tuple[str, ...] = ()
    obtained_from: str = ""
    deprecated: Mapping[str, Any] | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)


class Form(Struct, frozen=True):
    """The fields of a connection or a command, in the order in which people see them; `presets` fill others in."""

    title: str
    help: str
    fields: tuple[FormField, ...]
    presets: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the form as a JSON document."""
        found: dict[str, Any] = to_builtins(self)
        return found


def form_of(what: Manifest | Command) -> Form:
    """Return the form of a plugin's connection, in its own order, or of a command: what is required comes first.

    For another language give what `host.plugins.localised(plugin, language)` returns.
    """
    if isinstance(what, Manifest):
        return Form(what.name, what.description, _fields(what.connection), what.presets)
    fields = sorted(_fields(what.input), key=lambda one: (not one.required, one.advanced))
    return Form(what.title, what.description, tuple(fields))


def _fields(schema: Mapping[str, Any]) -> tuple[FormField, ...]:
    properties, required = schema.get("properties", {}), set(schema.get("required", ()))
    fields = [_field(name, one, required=name in required) for name, one in properties.items()]
    order = {name: one.get("order", number) for number, (name, one) in enumerate(properties.items())}
    return tuple(sorted(fields, key=lambda one: order[one.name]))


def _field(name: str, schema: Mapping[str, Any], *, required: bool) -> FormField:
    fetched = schema.get("options_from")
    return FormField(
        name,
        str(schema.get("title", name)),
        str(schema.get("description", "")),
        _widget(schema),
        required,
        bool(schema.get("writeOnly")),
        bool(schema.get("advanced")),
        schema.get("default"),
        tuple(FormOption(value, label) for value, label in _options(schema)),
        fetched,
        tuple(schema.get("examples", ())),
        str(schema.get("placeholder", "")),
        str(schema.get("group", "")),
        str(schema.get("pattern_message", "")),
        schema.get("visible_if", {}),
        schema.get("required_if", {}),
        tuple(schema.get("needed_by", ())),
        str(schema.get("obtained_from", "")),
        schema.get("deprecated") if isinstance(schema.get("deprecated"), Mapping) else None,
        standard_schema(schema),
    )


def _options(schema: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    yield from labelled_options(schema) or labelled_options(schema.get("items"))


def _widget(schema: Mapping[str, Any]) -> str:
    """Return the first of the widgets that fits."""
    kinds, secret = _kinds(schema), bool(schema.get("writeOnly"))
    fits = (
        ("file", schema.get("format") == "file"),
        ("choice", bool(labelled_options(schema))),
        ("choices", kinds == {"array"} and bool(labelled_options(schema.get("items")))),
        ("list", kinds == {"array"} and _is_plain(schema.get("items"))),
        ("json", bool(kinds & {"object", "array"})),
        ("checkbox", "boolean" in kinds),
        ("number", bool(kinds) and kinds <= {"integer", "number"}),
        ("multiline", bool(schema.get("multiline"))),
        ("secret", secret),
        ("date-time", schema.get("format") == "date-time"),
        ("url", schema.get("format") == "uri"),
        ("email", schema.get("format") == "email"),
    )
    return next((widget for widget, does in fits if does), "text")


def _is_plain(items: Any) -> bool:
    return isinstance(items, Mapping) and _kinds(items) <= {"string", "integer", "number"}


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    kinds: Sequence[str] = several(schema.get("type", "string"))
    return frozenset(kinds) - {"null"}
