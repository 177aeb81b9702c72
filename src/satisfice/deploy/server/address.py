"""Addresses: which ones only this machine reaches."""

from __future__ import annotations

import ipaddress


def is_address(name: str) -> bool:
    """Whether it is an address in numbers."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether only this machine can connect there."""
    return name == "localhost" or (is_address(name) and ipaddress.ip_address(name).is_loopback)


def url_of(host: str, port: int) -> str:
    """How a browser names it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
