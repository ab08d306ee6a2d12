"""Addresses that somebody else may not have this process call."""

import ipaddress
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA: Final = frozenset({"fd00:ec2::254", "100.100.100.200"})
"""Where clouds tell a machine its secrets, beside 169.254.169.254."""


def is_forbidden(address: Address) -> bool:
    """Say whether what answers there is for this machine alone: link-local, or a cloud's own."""
    plain: Address = getattr(address, "ipv4_mapped", None) or address
    return plain.is_link_local or plain.is_unspecified or str(plain) in _METADATA
