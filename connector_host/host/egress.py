"""Where requests may go: the operator's connections anywhere but where it is denied, those of others not inside."""

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from connector_host.model.errors import BadSetting
from connector_host.model.invocation_errors import RequestRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Places(Struct, frozen=True):
    """Networks, and names of hosts with `*` for anything."""

    networks: tuple[Network, ...] = ()
    names: tuple[str, ...] = ()

    def hold(self, host: str, address: Address | None) -> bool:
        """Whether a host, or its address where it is known, is one of them."""
        named = any(fnmatchcase(host.lower().rstrip("."), name) for name in self.names)
        return named or (address is not None and any(one in net for one in _readings(address) for net in self.networks))


def places_of(texts: Sequence[str]) -> Places:
    """Read networks (10.0.0.0/8, one address) and names (*.example.com); raises BadSetting."""
    networks: list[Network] = []
    names: list[str] = []
    for text in texts:
        if address_of(text) is not None or "/" in text:
            try:
                networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError as error:
                raise BadSetting(f"The setting 'egress' of the host manifest holds no network: {error}.") from None
        else:
            names.append(text.lower().rstrip("."))
    return Places(tuple(networks), tuple(names))


class Egress(Struct, frozen=True):
    """What the host manifest says: `denied` holds for all, `allowed` opens what is closed to others by itself.

    Closed to connections whose servers somebody else than the operator named are private, loopback, link-local,
    shared (RFC 6598), multicast and reserved addresses (the IANA special-purpose registries).
    """

    allowed: Places = Places()
    denied: Places = Places()

    def check(self, host: str, address: Address | None, *, by_operator: bool) -> None:
        """Raise RequestRefused; an address that is not known is taken for one outside."""
        if self.denied.hold(host, address):
            where = host if address is None or str(address) == host else f"{host} ({address})"
            raise RequestRefused(
                f"The host manifest denies requests to {where}.",
                assistance="Ask the operator of the host: it says so under egress, denied.",
            )
        if by_operator or address is None or self.allowed.hold(host, address):
            return
        if any(_is_inside(one) for one in _readings(address)[-1:]) or _is_local_translation(address):
            raise RequestRefused(
                f"{host} is an address inside ({address}), and not the operator named it as a server.",
                assistance="Have the operator set it, or allow it in the host manifest: egress: {allowed: [...]}.",
            )

    def check_name(self, host: str, *, by_operator: bool) -> None:
        """Check what a name says by itself: a literal address, or a name that is denied."""
        self.check(host, address_of(host), by_operator=by_operator)


def address_of(text: str) -> Address | None:
    """Return the address that a text is."""
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _readings(address: Address) -> list[Address]:
    """Return an address and, where it wraps an IPv4 address, that one: it is where packets may end."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inner is None and any(address in network for network in _WRAPPING):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return [address] if inner is None else [address, inner]


def _is_local_translation(address: Address) -> bool:
    """Whether only this network knows where in it the IPv4 address stands (RFC 8215)."""
    return isinstance(address, ipaddress.IPv6Address) and address in _LOCAL_TRANSLATION


_LOCAL_TRANSLATION = ipaddress.IPv6Network("64:ff9b:1::/48")


def _is_inside(address: Address) -> bool:
    old_private = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_multicast or address.is_reserved or old_private or not address.is_global


# Networks whose last 32 bits are an IPv4 address: RFC 6052; RFC 8215; RFC 4291, 2.5.5.1; RFC 2765, 2.1.
_WRAPPING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")))
