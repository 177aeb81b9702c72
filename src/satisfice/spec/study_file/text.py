"""From the text of a study file to its tables, with advice where it is no TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from satisfice.errors import SpecError

_PLACE = re.compile(r"\(at line (\d+), column \d+\)")
_YAML_LINE = re.compile(r"^\s*(?:- )?[A-Za-z_][\w-]*\s*:(?:\s|$)", re.MULTILINE)
_TOML_LINE = re.compile(r"^\s*(?:\[[^\]]+\]|[A-Za-z_\"][\w\"-]*\s*=)", re.MULTILINE)
_WORD = re.compile(r"=\s*([A-Za-z_][\w.-]*)\s*(?:#.*)?$")
_CONSTANTS = {"true": "true", "false": "false", "yes": "true", "no": "false"}


def read_toml(text: str, path: Path) -> Mapping[str, Any]:
    """The tables of a study file.

    Args:
        text: Its content.
        path: For messages.

    Raises:
        SpecError: It is no TOML; the hint says what its line means, or that it is YAML or JSON.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        other = _other_format(text, path)
        if other:
            raise SpecError(f"is {other}, not TOML", file=str(path), hint=_as_toml(other)) from None
        raise SpecError(
            f"is not valid TOML: {error}", file=str(path), hint=_line_advice(text, str(error))
        ) from None
    except (RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SpecError(f"is not valid TOML: {reason}", file=str(path), hint="simplify it") from None


def _other_format(text: str, path: Path) -> str:
    """The format that the text is in instead; empty where it is meant to be TOML."""
    start = text.lstrip()[:1]
    if start in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            return "JSON"
    suffix = path.suffix.lower()
    if suffix == ".json" and start in ("{", "["):
        return "JSON"
    if suffix == ".py" and re.search(r"^(?:import|from|def|class)\s", text, re.MULTILINE):
        return "Python"
    yaml, toml = len(_YAML_LINE.findall(text)), len(_TOML_LINE.findall(text))
    return "YAML" if yaml > toml or (yaml and suffix in (".yaml", ".yml")) else ""


def _as_toml(other: str) -> str:
    if other == "Python":
        return "name a study file in TOML; a study made by Python code is run by that code"
    if other == "JSON":
        return (
            'write name = "..." and a [table] for each object, or pass it from Python: '
            "satisfice.create_study(json.load(open(...)))"
        )
    return 'write key = "value" for key: value, and [space] on a line of its own for space:'


def _line_advice(text: str, message: str) -> str:
    """What to write in the line that the message names."""
    place = _PLACE.search(message)
    lines = text.splitlines()
    if place is None or not 1 <= int(place[1]) <= len(lines):
        return "complete the last line" if "end of document" in message else "mend that line"
    line = lines[int(place[1]) - 1].strip()
    key = line.partition("=")[0].strip()
    if message.startswith(("Cannot overwrite a value", "Cannot declare", "Cannot mutate", "Duplicate")):
        what = line if line.startswith("[") else key
        return f"{what[:60]} stands twice: remove one, or put all its keys together"
    word = _WORD.search(line)
    if word is not None and "Invalid value" in message:
        value = _CONSTANTS.get(word[1].lower(), f'"{word[1]}"')
        return f"write {key} = {value}" if word[1] != "None" else f"leave {key} out"
    if re.search(r"[\[,{=]\s*(True|False|None)\b", line):
        return "write true and false in lower case, and leave out what is None"
    if re.search(r"=\s*['\"]?\s*[<>]", line) is None and re.match(r"^[\w.-]+\s*(<=|>=|<|>)\s*[\d.]", line):
        name, operator, bound = re.split(r"\s*(<=|>=|<|>)\s*", line, maxsplit=1)
        return f'write {name} = "{operator} {bound}"'
    if re.search(r"=\s*[+-]?\.\d", line):
        return "write a digit before the decimal point, as in 0.5"
    if re.search(r"\d\.(?!\d)", line):
        return "write a digit after the decimal point, as in 1.0"
    if re.search(r",\s*\}", line):
        return "remove the comma before }"
    if "{" in line and "}" not in line:
        return "write { ... } on one line, or the table's keys under a [table] of its own"
    if re.match(r"^[\w.-]+\s*:", line):
        return "write key = value, with = instead of :"
    shown = line if len(line) <= 60 else f"{line[:57]}..."
    return f"mend that line: {shown}" if shown.isprintable() and shown else "mend that line"
