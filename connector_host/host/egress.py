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
        return named or (address is not None and any(address in network for network in self.networks))


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
            raise RequestRefused(f"The host manifest denies requests to {host}.")
        if by_operator or address is None or self.allowed.hold(host, address):
            return
        if address.is_multicast or not address.is_global:
            raise RequestRefused(
                f"{host} is an address inside ({address}), and not the operator named it as a server.",
                assistance="Have the operator set it, or allow it in the host manifest: egress: {allowed: [...]}.",
            )

    def check_name(self, host: str, *, by_operator: bool) -> None:
        """Check what a name says by itself: a literal address, or a name that is denied."""
        self.check(host, address_of(host), by_operator=by_operator)


def address_of(text: str) -> Address | None:
    """Return the address that a text is; of one that wraps an IPv4 address, that one."""
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
