"""The lab's page as one file, and the policy that lets a browser load nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files


@cache
def page() -> bytes:
    """The page in UTF-8, with its style and its script inside."""
    text = _text("lab.html").replace("/*STYLE*/", _text("lab.css")).replace("/*SCRIPT*/", _text("lab.js"))
    return text.encode()


@cache
def policy() -> str:
    """The Content-Security-Policy: this script, this style, and requests to this server alone."""
    return (
        f"default-src 'none'; script-src {_hash('lab.js')}; style-src {_hash('lab.css')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _text(name: str) -> str:
    return (files("satisfice.lab") / name).read_text(encoding="utf-8")


def _hash(name: str) -> str:
    digest = hashlib.sha256(_text(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
