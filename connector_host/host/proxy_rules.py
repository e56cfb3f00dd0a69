"""The host manifest's proxies: which connections' requests go through which, before the environment is asked."""

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from connector_host.model.errors import BadSetting
from connector_host.model.invocation_errors import RequestRefused
from connector_host.model.proxy import Proxy, proxy_at

_KEYS = {"url", "user", "password", "connections", "servers"}
_WHOSE = "the url under proxies in the host manifest"


class ProxyRule(Struct, frozen=True):
    """One proxy, and for which connections and servers it is (patterns with `*`); `password` is env:… or file:…."""

    proxy: Proxy
    password: str = ""
    connections: tuple[str, ...] = ("*",)
    servers: tuple[str, ...] = ("*",)

    def is_for(self, connection: str, host: str) -> bool:
        """Whether a connection's requests to a host go through it."""
        named = any(fnmatchcase(connection, one) for one in self.connections)
        return named and any(fnmatchcase(host.lower(), one.lower()) for one in self.servers)

    def opened(self) -> Proxy:
        """Return the proxy with its password; raises RequestRefused where that cannot be read."""
        if not self.password:
            return self.proxy
        kind, _, place = self.password.partition(":")
        try:
            found = os.environ[place] if kind == "env" else Path(place).read_text("utf-8").rstrip("\r\n")
        except (KeyError, OSError, UnicodeError):
            raise RequestRefused(
                f"The password of the proxy {self.proxy.name} cannot be read from {self.password}.",
                assistance="Ask the operator of the host: its manifest says so under proxies.",
            ) from None
        return replace(self.proxy, password=found)


class ProxyRules(Struct, frozen=True):
    """The rules in their order: the first that is about a connection and a server holds."""

    rules: tuple[ProxyRule, ...] = ()

    def chosen(self, connection: str, host: str) -> Proxy | None:
        """Return the proxy for a connection's requests to a host; None leaves it to the environment."""
        rule = next((one for one in self.rules if one.is_for(connection, host)), None)
        return None if rule is None else rule.opened()


def proxy_rules(sections: Sequence[Mapping[str, Any]]) -> ProxyRules:
    """Read the host manifest's `proxies`; raises BadSetting."""
    return ProxyRules(tuple(map(_rule, sections)))


def _rule(section: Mapping[str, Any]) -> ProxyRule:
    for name in set(section) - _KEYS:
        raise BadSetting(f"The host manifest's proxies have no '{name}'. They have: {', '.join(sorted(_KEYS))}.")
    texts = [section.get(name, "") for name in ("url", "user", "password")]
    lists = [section.get(name, ["*"]) for name in ("connections", "servers")]
    if not all(isinstance(one, str) for one in texts) or not texts[0]:
        raise BadSetting("Each of the host manifest's proxies has a url, as text; `url: none` is for no proxy.")
    if not all(isinstance(some, list) and all(isinstance(one, str) for one in some) for some in lists):
        raise BadSetting("connections and servers of the host manifest's proxies are lists of names, with * for any.")
    url, user, password = texts
    if password and password.partition(":")[0] not in {"env", "file"}:
        raise BadSetting("proxies: give the password as env:VARIABLE or file:PATH, not itself.")
    try:
        proxy = Proxy() if url == "none" else proxy_at(url, _WHOSE)
    except RequestRefused as error:
        raise BadSetting(f"{error} {error.failure.assistance}") from None
    if proxy.password:
        raise BadSetting("proxies: a password does not stand in the url; give it as env:VARIABLE or file:PATH.")
    return ProxyRule(replace(proxy, user=user or proxy.user), password, *map(tuple, lists))
