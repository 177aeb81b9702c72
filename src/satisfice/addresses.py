"""Addresses of servers: which ones only this machine reaches, and by which names requests may call them."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit


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


def may_call(host: str, names: Collection[str]) -> bool:
    """Whether a request may carry this ``Host``: an address in numbers, or a name of ours.

    Addresses in numbers pass: no page on the net can point its own name at one (DNS rebinding).

    Args:
        host: The header, with or without a port.
        names: Ours, in small letters.
    """
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:  # brackets without an address between them
        return False
    return name is not None and (is_address(name) or name.rstrip(".") in names)


def url_of(host: str, port: int) -> str:
    """How a browser names it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
