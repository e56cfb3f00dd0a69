"""Where a connection's secrets go: its servers, what they are made of, and names that imitate others."""

import re
import unicodedata
from collections.abc import Container, Mapping
from typing import Any
from urllib.parse import urlsplit

from connector_host.model.errors import BadSetting
from connector_host.model.invocation_errors import RequestRefused
from connector_host.model.manifest import Manifest
from connector_host.model.paths import ABSENT
from connector_host.model.requests import check_origin
from connector_host.model.template import compile_value

_NAMED = re.compile(r"\$\.connection\.([A-Za-z_][A-Za-z0-9_]*)")
# Scripts that are written together in one name: Japanese, and Korean.
_TOGETHER = ({"HIRAGANA", "KATAKANA", "CJK", "LATIN"}, {"HANGUL", "CJK", "LATIN"}, {"BOPOMOFO", "CJK", "LATIN"})


def server_parameters(manifest: Manifest) -> set[str]:
    """Return the names of the parameters that servers' addresses are made of, in templates too."""
    return {name for server in manifest.servers.values() for name in _NAMED.findall(server.url)}


def leading(manifest: Manifest, parameters: Mapping[str, Any], vault: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says where a connection's secrets go: its servers, and whom it trusts to be them."""
    names = sorted(server_parameters(manifest) | {"ca_bundle"})
    properties = manifest.connection["properties"]
    defaults = {name: properties.get(name, {}).get("default") for name in names}
    return {name: parameters.get(name, vault.get(name, defaults[name])) for name in names}


def origins_of(manifest: Manifest, parameters: Mapping[str, Any], vault: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses of a connection's servers; one that is looked up is named by its place in the vault."""
    places = {name: f"vault:{one.vault}:{one.path}#{one.field}" for name, one in vault.items()}
    roots = {"connection": {**leading(manifest, parameters, {}), **places}}
    found = (compile_value(server.url)(roots) for server in manifest.servers.values())
    return tuple(sorted({str(url).rstrip("/") for url in found if url is not ABSENT and url is not None}))


def hosts_of_others(manifest: Manifest, values: Mapping[str, Any], set_by: Container[str]) -> frozenset[str]:
    """Return the hosts of servers whose address is made of a parameter that somebody else than the operator set."""
    found = set()
    for server in manifest.servers.values():
        if any(name in set_by for name in _NAMED.findall(server.url)):
            url = compile_value(server.url)({"connection": values})
            if url is not ABSENT and url is not None:
                found.add(urlsplit(str(url)).hostname or "")
    return frozenset(found)


def normal_origins(manifest: Manifest, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with servers' names in their one form (UTS 46); raises BadSetting for what is no server."""
    changed = dict(parameters)
    for server in manifest.servers.values():
        names = _NAMED.findall(server.url)
        if len(names) == 1 and server.url == f"$.connection.{names[0]}" and names[0] in parameters:
            changed[names[0]] = _normal(manifest, names[0], str(parameters[names[0]]))
        elif set(names) & parameters.keys():
            url = compile_value(server.url)({"connection": leading(manifest, parameters, {})})
            if url is not ABSENT and url is not None:
                _check_whole(manifest, names, server.url, str(url))
    return changed


def _normal(manifest: Manifest, name: str, url: str) -> str:
    title = manifest.connection["properties"].get(name, {}).get("title", name)
    try:
        url = with_plain_host(url)
        check_origin(url)
    except RequestRefused as error:
        raise BadSetting(f"The value for parameter ({title}) is invalid. {error}") from None
    return url


def _check_whole(manifest: Manifest, names: list[str], template: str, url: str) -> None:
    """Refuse values that lead an address out of its template: a host is what stands before the first slash."""
    properties = manifest.connection["properties"]
    titles = ", ".join(properties.get(name, {}).get("title", name) for name in names)
    sample = urlsplit(_NAMED.sub("x", template.replace("{", "").replace("}", "")))
    try:
        check_origin(with_plain_host(url))
        same = (urlsplit(url).path.count("/"), urlsplit(url).port) == (sample.path.count("/"), sample.port)
    except (RequestRefused, ValueError) as error:
        raise BadSetting(f"The value for parameter ({titles}) is invalid. {error}") from None
    if not same:
        raise BadSetting(f"The value for parameter ({titles}) is invalid. '{url}' is another address than {template}.")


def with_plain_host(url: str) -> str:
    """Return a URL with its host in ASCII (UTS 46); raises RequestRefused for one that mixes scripts or is none."""
    if url.isascii():
        return url
    try:
        host = urlsplit(url).hostname or ""
    except ValueError as error:
        raise RequestRefused(f"'{url}' is not a URL ({error}).") from None
    for label in host.split("."):
        if not _in_one_script(label):
            raise RequestRefused(
                f"The name '{label}' mixes letters of several scripts, as names do that imitate another.",
                assistance="Write it in the letters of one script.",
            )
    import idna  # noqa: PLC0415 - hardly any server's name needs it

    try:
        plain = idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise RequestRefused(f"'{host}' is no name of a server ({error}).") from None
    begin = url.lower().find(host)
    return url[:begin] + plain + url[begin + len(host) :] if begin >= 0 else url


def _in_one_script(label: str) -> bool:
    scripts = {
        unicodedata.name(one, "?").split(" ")[0] for one in unicodedata.normalize("NFKC", label) if one.isalpha()
    }
    return len(scripts) < 2 or any(scripts <= together for together in _TOGETHER)  # noqa: PLR2004 - one is alone
