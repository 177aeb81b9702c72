"""Tokens that callers of our servers send: made where a server listens beyond this machine, and compared."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from satisfice.addresses import is_loopback

_BYTES = 24  # 192 bits: not to be guessed


def made_for(host: str, given: str | None) -> str | None:
    """A new token where one is needed: the server listens beyond loopback, and its owner gave none."""
    return None if given or is_loopback(host) else secrets.token_urlsafe(_BYTES)


def same(sent: str, wanted: str) -> bool:
    """Whether two tokens are the same, in a time that tells neither their content nor their length."""
    return hmac.compare_digest(_digest(sent), _digest(wanted))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def sent_in(authorization: str) -> str | None:
    """The token in a header ``Authorization``: after ``Bearer``, or the password of ``Basic``.

    Args:
        authorization: The header's value, one character a byte.

    Returns:
        None where there is none.
    """
    kind, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if kind.lower() == "bearer":
        return rest.encode("latin-1", "replace").decode("utf-8", "replace") or None
    if kind.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(rest, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    return pair.partition(":")[2] or None
