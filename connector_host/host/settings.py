"""The host's own settings, as its manifest.yaml gives them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from connector_host.host.egress import Egress, places_of
from connector_host.host.proxy_rules import ProxyRules, proxy_rules
from connector_host.manifests.wording import did_you_mean
from connector_host.model.errors import BadSetting

DURABILITIES = ("process", "power")
DEFAULT_SLOTS = {"store": "sqlite", "cipher": "aes-256-gcm", "transport": "lean", "envelope": "hpke"}


class DateTimeSetting(Struct, frozen=True):
    """How people here write a time: a strptime format, and the zone of times without an offset."""

    format: str = "%Y-%m-%d %H:%M"
    time_zone: str = "UTC"

    def zone(self) -> tzinfo:
        """Return the zone; raises BadSetting for an unknown name."""
        if self.time_zone == "UTC":
            return UTC
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - only a time pays

        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise BadSetting(
                f"The time zone '{self.time_zone}' is unknown. Use a name such as Europe/Berlin or UTC."
            ) from error


class Limits(Struct, frozen=True):
    """Bounds that keep one invocation from harming the others."""

    deadline_seconds: int = 300
    input_bytes: int = 1_000_000
    input_depth: int = 64
    concurrency: int = 32
    kept_result_bytes: int = 65_536
    file_bytes: int = 32 * 1024 * 1024
    spool_bytes: int = 512 * 1024 * 1024


class Settings(Struct, frozen=True):
    """Everything an operator can set."""

    schemas: Path
    slots: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[str] = ()
    plugins: tuple[Path, ...] = ()
    date_time: DateTimeSetting = field(default_factory=DateTimeSetting)
    limits: Limits = field(default_factory=Limits)
    retention_days: int = 90
    vault_cache_seconds: int = 60
    durability: str = "process"
    notifiers: Sequence[str] = ()
    smtp: Mapping[str, Any] = field(default_factory=dict)
    oidc: Mapping[str, Any] = field(default_factory=dict)
    environments: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    egress: Egress = Egress()
    proxies: ProxyRules = ProxyRules()

    def options_of(self, part: str) -> Mapping[str, Any]:
        """Return a part's own section, empty where there is none."""
        sections: Mapping[str, Mapping[str, Any]] = {
            "smtp": self.smtp,
            "environments": self.environments,
            "store": {"durability": self.durability},
        }
        return {**self.options.get(part, {}), **sections.get(part, {})}

    def part_of(self, slot: str) -> str:
        """Return the name of the part that fills a slot of one part."""
        return self.slots.get(slot, DEFAULT_SLOTS[slot])


def laid_over(base: Mapping[str, Any], own: Mapping[str, Any], folder: Path, base_folder: Path) -> dict[str, Any]:
    """Return `base` with what an own host manifest says: a list or a value in place of its own, a mapping key by key.

    A plugin's folder is the one beside the own manifest or, for a copy of the package's manifest that stands somewhere
    else, the one beside `base`.
    """
    laid = dict(base)
    for name, setting in own.items():
        beneath = base.get(name)
        laid[name] = setting
        if isinstance(setting, dict) and isinstance(beneath, dict):
            laid[name] = {**beneath, **setting}
    plugins = own.get("plugins")
    if isinstance(plugins, list):
        laid["plugins"] = [_beside(folder, base_folder, one) if isinstance(one, str) else one for one in plugins]
    return laid


def _beside(folder: Path, base_folder: Path, plugin: str) -> str:
    own = (folder / plugin).resolve()
    return plugin if not own.exists() and (base_folder / plugin).is_dir() else str(own)


def settings_from(value: Mapping[str, Any], root: Path) -> Settings:
    """Make the settings from a parsed host manifest whose folder is `root`; raises BadSetting."""
    _check_shape(value)
    given = dict(value)
    if "date_time" in given:
        given["date_time"] = DateTimeSetting(**given["date_time"])
        given["date_time"].zone()
    if "limits" in given:
        given["limits"] = Limits(**given["limits"])
    if "egress" in given:
        given["egress"] = Egress(**{name: places_of(texts) for name, texts in given["egress"].items()})
    if "proxies" in given:
        given["proxies"] = proxy_rules(given["proxies"])
    given["plugins"] = tuple((root / folder).resolve() for folder in given.get("plugins", ()))
    return Settings(schemas=root / "schemas", **given)


_SHAPES: Mapping[str, tuple[type, type, str]] = {
    "environments": (dict, str, "a mapping of plugin and the path of a Python interpreter"),
    "slots": (dict, str, "a mapping of slot and part"),
    "steps": (list, str, "a list of names"),
    "plugins": (list, str, "a list of folders"),
    "date_time": (dict, str, "a mapping with format and time_zone"),
    "limits": (dict, int, "a mapping of whole numbers, each at least 1"),
    "retention_days": (int, int, "a whole number, at least 1"),
    "vault_cache_seconds": (int, int, "a whole number of seconds, at least 1"),
    "durability": (str, str, "process (what is acknowledged outlives the program) or power (and a power cut)"),
    "notifiers": (list, str, "a list of names"),
    "egress": (dict, list, "a mapping with allowed and denied, each a list of networks and names"),
    "proxies": (list, dict, "a list of mappings with url, user, password, connections and servers"),
    "options": (dict, dict, "a mapping of the part's name and a mapping of its own settings"),
    "smtp": (dict, object, "a mapping with host, port, security, sender, user and password"),
    "oidc": (dict, object, "a mapping with issuer, client_id, client_secret, grants and the names of claims"),
}


_MOST: Mapping[str, int] = {  # what is more cannot be meant, or overflows where it is counted with
    "retention_days": 36_500,
    "vault_cache_seconds": 86_400,
    "deadline_seconds": 604_800,
    "concurrency": 1024,
    "input_depth": 200,
}
_MOST_BYTES = 2**40


def _check_bounds(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        most = _MOST.get(name, _MOST_BYTES)
        if isinstance(value, int) and value > most:
            raise BadSetting(f"The setting '{name}' of the host manifest is at most {most:,}, not {value:,}.")


_KEYS: Mapping[str, Sequence[str]] = {
    "date_time": DateTimeSetting.__struct_fields__,
    "limits": Limits.__struct_fields__,
    "egress": ("allowed", "denied"),
}


def _check_name(name: str, known: Collection[str], place: str) -> None:
    if name not in known:
        raise BadSetting(f"{place} has no setting '{name}'.{did_you_mean(str(name), list(known))}")


def _check_shape(value: Mapping[str, Any]) -> None:
    for name, setting in value.items():
        _check_name(name, _SHAPES, "The host manifest")
        kind, inner, words = _SHAPES[name]
        parts: list[Any] = list(setting.values()) if isinstance(setting, dict) else [setting]
        parts = setting if isinstance(setting, list) else parts
        wrong = [
            part
            for part in parts
            if inner is not object and (type(part) is not inner or (isinstance(part, int) and part < 1))
        ]
        if type(setting) is not kind or wrong or (name == "durability" and setting not in DURABILITIES):
            raise BadSetting(f"The setting '{name}' of the host manifest must be {words}.")
    for name, known in _KEYS.items():
        for key in value.get(name, ()):
            _check_name(key, known, f"The setting '{name}' of the host manifest")
    _check_bounds({**value, **value.get("limits", {})})
    for slot in value.get("slots", {}):
        if slot not in DEFAULT_SLOTS:
            raise BadSetting(f"There is no slot '{slot}' to choose a part for. There are: {', '.join(DEFAULT_SLOTS)}.")
