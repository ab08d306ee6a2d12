"""Hosts as they are written in addresses and settings."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether a host, as it is written, is this machine and no other."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
