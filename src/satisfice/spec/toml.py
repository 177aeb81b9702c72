"""How TOML writes a key and a value: for study files that are written, and for advice on one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from satisfice.errors import SpecError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_ADVICE = 160


def toml_key(name: str) -> str:
    """The key as it stands left of ``=``."""
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)


def toml_value(value: Any) -> str:
    """The value as it stands right of ``=``.

    Raises:
        SpecError: It is or holds None, which TOML cannot say.
    """
    if value is None:
        raise SpecError("a study file cannot say None", key="space", hint="keep this study as a Python dict")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        items = ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items())
        return f"{{ {items} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return repr(value)


def assignment(name: str, value: Any) -> str:
    """``name = value``, as advice names a line to write; empty where TOML cannot say it or it is too long."""
    try:
        line = f"{toml_key(name)} = {toml_value(value)}"
    except (SpecError, TypeError, AttributeError):
        return ""
    return line if len(line) <= _LONGEST_ADVICE and line.isprintable() else ""
