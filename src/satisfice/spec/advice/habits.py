"""What users of scikit-learn, Keras, PyTorch and Optuna write, and what a study file says instead.

Nothing here is accepted: each entry becomes the advice of an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from satisfice.registry import nearest
from satisfice.spec.advice.words import (
    DIRECTION_KEYS,
    EPOCHS,
    FAMILY_KEYS,
    HYPERPARAMETERS,
    INVERSE,
    KEYS,
    METRIC_KEYS,
    METRIC_NAMES,
    OPTIONS,
    TABLES,
    VALUES,
)
from satisfice.spec.grammar import DIRECTIONS, SECTIONS, TABLE_DOCS, TOP
from satisfice.spec.metric import METRICS
from satisfice.spec.toml import assignment


class Advice(NamedTuple):
    """What to write instead of a key that is refused."""

    text: str
    meant: str = ""  # the key or table of the same place that it was meant for


def _line(home: str, here: str, name: str, value: Any) -> str:
    """Advice to write a key in its table."""
    line = assignment(name, value) or name
    if home == here:
        return f"write {line}"
    return f"write {line} {f'under [{home}]' if home else 'at the top of the file, above every [table]'}"


def key_advice(path: str, key: str, value: Any, content: Mapping[str, Any]) -> Advice | None:
    """What to write instead of a key that its table does not have; None where no habit explains it.

    Args:
        path: The table, "" for the whole file.
        key: As it is written.
        value: What stands there.
        content: The table.
    """
    homes = [name for name, keys in SECTIONS.items() if key in keys and name != path]
    named = [f"[{name}]" for name in homes] + (["the top of the file"] if key in TOP and path else [])
    word = key.lower().replace("-", "_")
    if not path and isinstance(value, Mapping) and word in TABLES:
        near = nearest(key, list(TABLE_DOCS))
        said = f"did you mean '{near}'?" if near == TABLES[word] else f"the table is called [{TABLES[word]}]"
        return Advice(said, TABLES[word])
    if path in ("", "search", "budget") and word in (*METRIC_KEYS, *DIRECTION_KEYS):
        return Advice(objective_advice(content), "" if path else "objectives")
    if path == "model" and word in FAMILY_KEYS:
        return Advice(_line("model", path, "family", value), "family")
    if named:
        where = homes[0] if homes else ""
        line = assignment(key, value)
        text = f"it belongs in {' or '.join(named)}" + (", above every [table]" if not homes else "")
        return Advice(f"{text}: write {line} there" if line else text, where if not path else "")
    if word in KEYS:
        home, name = KEYS[word]
        if (
            name == "timeout"
            and word.endswith(("minutes", "hours", "min", "h"))
            and isinstance(value, int | float)
        ):
            value = f"{value:g}{'h' if word.endswith(('hours', 'h')) else 'm'}"
        return Advice(_line(home, path, name, _value(word, value)), name if home == path else home)
    if word in OPTIONS:
        return Advice(OPTIONS[word])
    ours = HYPERPARAMETERS.get(word, (word,))[0]
    if not path and (word in HYPERPARAMETERS or any(word in names for names in HYPERPARAMETERS.values())):
        home = "space" if isinstance(value, Mapping | list) else "model"
        return Advice(f"{_line(home, path, ours, value)}, where hyperparameters belong")
    if path and key in TABLE_DOCS:
        return Advice(f"[{key}] is a table of its own: write [{key}], not [{path}.{key}]")
    return None


def _value(word: str, value: Any) -> Any:
    """A value as our key takes it."""
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return (
        known_value(value) if isinstance(value, str) and word in ("algorithm", "algo", "strategy") else value
    )


def objective_advice(content: Mapping[str, Any], *more: str) -> str:
    """The lines of [objectives] that ``objective = "accuracy"``, ``directions = [...]`` and the like mean.

    Args:
        content: Keys and values.
        more: Further keys whose value may be the metric.
    """
    lower = {str(key).lower(): value for key, value in content.items()}
    found = next((lower[key] for key in (*METRIC_KEYS, *more) if lower.get(key)), None)
    ways = next((lower[key] for key in DIRECTION_KEYS if lower.get(key)), None)
    names = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    lines = []
    for i, name in enumerate(name for name in names if isinstance(name, str)):
        way = ways[i] if isinstance(ways, list) and i < len(ways) else ways
        lines.append(objective_line(name, way))
    if not lines:
        return 'write each metric with its direction under [objectives], for instance accuracy = "maximize"'
    return f"write {' and '.join(lines)} under [objectives]"


def objective_line(name: str, way: Any = None) -> str:
    """``accuracy = "maximize"``, by the names that others use."""
    ours = METRIC_NAMES.get(plain_metric(name), name)
    known = METRICS.get(ours)
    near = str(way).lower()[:3] if isinstance(way, str) else ""
    direction = f"{near}imize" if f"{near}imize" in DIRECTIONS else known.direction if known else "maximize"
    return assignment(ours, direction)


def table_advice(name: str, value: Any) -> str:
    """What to write instead of a value where a table of the top belongs."""
    if name == "objectives" and isinstance(value, str | list) and value:
        items = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in items):
            return (
                f"write [objectives] on a line of its own, and below {', '.join(map(objective_line, items))}"
            )
        rows = [objective_advice(item, "name") for item in items if isinstance(item, Mapping)]
        if rows:
            return " and ".join(dict.fromkeys(rows))
    simple = {"data": "name", "model": "family", "task": "entry", "budget": "trials"}
    if name in simple and isinstance(value, str | int) and not isinstance(value, bool):
        file = name == "data" and str(value).lower().endswith((".csv", ".parquet"))
        line = assignment("file" if file else simple[name], value)
        return f"write [{name}] on a line of its own, and below {line}"
    return f"write [{name}] on a line of its own and its keys below"


def home_of(name: str, value: Any) -> str:
    """Advice for a key of the top or of [budget] that stands among parameters or metrics; else empty."""
    word = name.lower()
    for home, keys in (("", TOP), ("budget", SECTIONS["budget"])):
        if word in keys and word != "name":
            return _line(home, "?", word, value)
    if word in KEYS and KEYS[word][0] in ("", "budget") and KEYS[word][1] != "name":
        return _line(*(KEYS[word][0], "?", KEYS[word][1]), value)
    return ""


def hyperparameter_advice(name: str, value: Any, known: Collection[str], table: str) -> str:
    """What to write instead of a hyperparameter that the family does not have; else empty.

    Args:
        name: As it is written.
        value: What stands there, as the study file would say it; None where that is not known.
        known: The family's hyperparameters.
        table: "model" or "space".
    """
    word = name.lower().replace("-", "_")
    if word in EPOCHS and not (word in HYPERPARAMETERS and set(HYPERPARAMETERS[word]) & set(known)):
        count = (
            value if isinstance(value, int) else value.get("high", 30) if isinstance(value, Mapping) else 30
        )
        return f"epochs are the budget of a trial: {_line('budget', table, 'epochs', count)}"
    if name == "C":
        ours = next((n for n in ("alpha", "l2") if n in known), None)
        return f"write {ours} instead; {INVERSE.get(ours, 'C is its inverse')}" if ours is not None else ""
    ours = next((n for n in HYPERPARAMETERS.get(word, ()) if n in known), None)
    if ours is not None:
        return f"write {assignment(ours, value) or ours}"
    if table == "model" and word in FAMILY_KEYS:
        return "leave it out: family names the model"
    if word in HYPERPARAMETERS:
        return f"leave it out, for nothing here is like it; known: {', '.join(sorted(known))}"
    return home_of(name, value) or OPTIONS.get(word, "")


def time_line(name: str, value: str) -> str:
    """``timeout = "10m"`` for a time in other words, such as "10 minutes", "0:10:00" or "600"; else empty."""
    clock = re.fullmatch(r"\s*(\d+):(\d{1,2})(?::(\d{1,2}))?\s*", value)
    if clock is not None and clock[3] is not None:
        parts = zip(clock.groups(), "hms", strict=True)
        return assignment(name, "".join(f"{int(n)}{unit}" for n, unit in parts if int(n)))
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
        number = float(value)
        if not math.isfinite(number):
            return ""
        return assignment(name, int(number) if number.is_integer() else number)
    words = re.findall(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", value)
    if not words or re.sub(r"(\d+(?:\.\d+)?)\s*[A-Za-z]+|and|,|\s", "", value):
        return ""
    units = [(n, unit[0].lower()) for n, unit in words]
    if [unit for _, unit in units] != [unit for unit in "dhms" if unit in {u for _, u in units}]:
        return ""
    return assignment(name, "".join(f"{n}{unit}" for n, unit in units))


def known_value(value: str) -> str:
    """A value as satisfice spells it: ``"ReLU"`` gives "relu", ``"TPESampler"`` gives "tpe"."""
    word = value.lower().removesuffix("sampler").removesuffix("pruner").removesuffix("optimizer")
    return VALUES.get(word.replace("_", "").replace("-", ""), word)


def plain_metric(name: str) -> str:
    """A metric's name without what says on which rows: ``val_Accuracy`` gives "accuracy"."""
    word = name.lower().replace("-", "_").replace(" ", "_")
    for prefix in ("val_", "valid_", "validation_", "test_", "eval_", "cv_", "neg_", "mean_test_"):
        word = word.removeprefix(prefix)
    return word
