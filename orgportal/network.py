"""Which network a caller's address belongs to: what one customer of a provider holds counts as one."""

import ipaddress

# A home or a server is commonly given 64 bits of IPv6 to choose addresses from (RFC 6177, RFC 7421).
IPV6_PREFIX = 64


def network_of(address: str) -> str:
    """The address itself for IPv4, its /64 for IPv6; the text as it is when it is no address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
    return str(found)
