"""Finding the network address of a receiver, and refusing those that are not public.

Otherwise an admin of the product could make the function send requests into the network that it runs in, or
to the metadata service of a cloud (OWASP, "Server-Side Request Forgery Prevention Cheat Sheet").
"""

import ipaddress
import random
import socket

# Networks whose addresses contain an IPv4 address (NAT64: RFC 6052, RFC 8215), and one that some versions of
# `ipaddress` take for global (RFC 6890). `ipaddress` knows all others.
_REFUSED = [ipaddress.ip_network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "192.0.0.0/24")]


class AddressRefused(Exception):
    """A host name leads to an address that is not public."""


def public_address(host: str, port: int) -> str:
    """Return an address of a host name, if possible of IPv4, which functions can reach in every network.

    Raises
    ------
    AddressRefused
        If an address is not public. A name that also leads to a private network is refused as a whole.
    OSError
        If the name has no address.
    """
    found = {str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    if not all(map(is_public, found)):
        raise AddressRefused
    return random.choice([one for one in found if ":" not in one] or [*found])  # noqa: S311 - not for secrets


def is_public(text: str) -> bool:
    """Whether an address is one that everybody on the internet can reach."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id
        or address.ipv4_mapped
        or address.sixtofour
        or address.teredo
        or address.is_site_local
    ):
        return False
    if any(address in network for network in _REFUSED):
        return False
    # Multicast and reserved networks are partly "global" in IANA's registries.
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
