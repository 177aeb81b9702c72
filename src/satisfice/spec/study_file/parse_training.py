"""Reading what trains: ``[data]`` and ``[model]``, or ``[task]``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from satisfice.spec import grammar
from satisfice.spec.advice.habits import key_advice
from satisfice.spec.study import DataSpec, ModelSpec, TaskSpec
from satisfice.spec.study_file.read import Table, is_scalar, show
from satisfice.spec.toml import assignment

_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def read_training(
    top: Table, *, has_task: bool, meant: Collection[str] = ()
) -> tuple[DataSpec | None, ModelSpec | None, TaskSpec | None]:
    """[data] with [model], or [task], or none of them for a task that is passed from Python.

    Args:
        top: The file.
        has_task: A task is passed from Python.
        meant: Tables that a refused key was meant for: they are not called missing.

    Raises:
        SpecError: They do not go together. What is wrong in one of them is kept.
    """
    given = [name for name in ("data", "model", "task") if name in top.content]
    attempt = top.problems.attempt
    if has_task:
        if given:
            raise top.error(
                "does not go with a task that is passed from Python",
                key=given[0],
                hint=f"remove [{given[0]}]",
            )
        return None, None, None
    if "task" in given:
        if len(given) > 1:
            raise top.error("does not go with [task]", key=given[0], hint=f"remove [{given[0]}] or [task]")
        return None, None, attempt(lambda: _task(top.child("task")))
    lacking = [f"[{name}]" for name in ("data", "model") if name not in given and name not in meant]
    if lacking and "task" not in meant:
        many = len(lacking) > 1
        with top.problems.kept():
            raise top.error(
                f"the table{'s' if many else ''} {' and '.join(lacking)} {'are' if many else 'is'} missing",
                hint="give [data] and [model], or [task] for your own training code; from Python, a function "
                "or object may be passed: create_study(..., task=objective)",
            )
    data = attempt(lambda: _data(top.child("data"))) if "data" in given else None
    model = attempt(lambda: _model(top.child("model"))) if "model" in given else None
    return data, model, None


def _data(table: Table) -> DataSpec | None:
    before = len(table.problems)
    table.check_keys(grammar.DATA)
    read = table.section(grammar.DATA)
    if len(table.problems) > before:
        return None
    if (read["name"] is None) == (read["file"] is None):
        both = read["name"] is not None
        raise table.error(
            "has both name and file" if both else "names no data",
            hint='give one of name = "digits" and file = "mails.csv"' if not both else "remove one of them",
        )
    if read["file"] is not None and read["target"] is None:
        raise table.error("is missing", key="target", hint='name the column to predict: target = "label"')
    for key in ("target", "time"):
        if read["name"] is not None and read[key] is not None:
            raise table.error("goes with file, not with a registered data set", key=key, hint=f"remove {key}")
    if read["target"] in read["drop"]:
        raise table.error(
            f"drops the target {show(read['target'])}", key="drop", hint="remove it from the list"
        )
    _check_text(table, read)
    if read["valid"] + read["test"] >= 1:
        raise table.error(
            f"valid {read['valid']} and test {read['test']} leave no row to train on",
            hint="make their sum less than 1",
        )
    return DataSpec(**{**read, "valid": float(read["valid"]), "test": float(read["test"])})


def _check_text(table: Table, read: Mapping[str, Any]) -> None:
    """Refuse columns of text that cannot be such."""
    text = read["text"] or ()
    for name in text:
        if text.count(name) > 1:
            raise table.error(f"names {show(name)} twice", key="text", hint="name it once")
        for key in ("target", "time"):
            if name == read[key]:
                raise table.error(
                    f"names {show(name)}, which is the {key} column",
                    key="text",
                    hint="remove it from the list",
                )
        if name in read["drop"]:
            raise table.error(
                f"names {show(name)}, which drop leaves out",
                key="text",
                hint="remove it from one of the lists",
            )
    if read["near_duplicates"] == "group" and read["text"] == ():
        raise table.error(
            "groups rows by their texts, but text names no column",
            key="near_duplicates",
            hint="name one in text",
        )
    if read["near_duplicates"] == "group" and read["time"] is not None:
        raise table.error(
            "does not go with a split by time", key="near_duplicates", hint='remove time, or write "warn"'
        )


def _model(table: Table) -> ModelSpec | None:
    """The model; without the hyperparameters that are refused here, and None without a family."""
    table.texts()
    if "family" not in table.content:
        for key, value in table.content.items():
            advice = key_advice(table.path, key, value, table.content)
            if advice is not None and advice.meant == "family":
                raise table.error("unknown key", key=key, hint=advice.text)
    family = table.problems.attempt(lambda: table.read("family", grammar.MODEL["family"]))
    fixed = {}
    for key, value in table.content.items():
        with table.problems.kept():
            if key != "family":
                fixed[key] = _fixed(table, key, value)
    return None if family is None else ModelSpec(family=family, fixed=fixed)


def _fixed(table: Table, key: str, value: Any) -> Any:
    """The value of a fixed hyperparameter."""
    line = assignment(key, value)
    if isinstance(value, Mapping):
        hint = f"a range belongs in [space]: write {line} there" if line else "a range belongs in [space]"
        raise table.error("must be one value, not a table", key=key, hint=hint)
    if not _storable(value):
        raise table.error(
            f"{show(value)} is not a value of a hyperparameter",
            key=key,
            hint="leave it out" if value is None else "write a finite number, a string, true or false",
        )
    return value


def _task(table: Table) -> TaskSpec:
    table.texts()
    entry = table.read("entry", grammar.TASK["entry"])
    if not _ENTRY.fullmatch(entry):
        raise table.error(
            f"{show(entry)} names no object of a module", key="entry", hint='write "package.module:Name"'
        )
    options = {key: value for key, value in table.content.items() if key != "entry"}
    for key, value in options.items():
        with table.problems.kept():
            if not key.isidentifier():
                raise table.error("is not the name of an argument", key=key, hint="use letters, digits and _")
            if not _storable(value):
                raise table.error(
                    f"{show(value)} cannot be kept",
                    key=key,
                    hint="use strings, finite numbers, true or false, lists, tables",
                )
    return TaskSpec(entry=entry, options=options)


def _storable(value: Any) -> bool:
    """Whether JSON and TOML both can hold it."""
    if isinstance(value, list | tuple):
        return all(_storable(item) for item in value)
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _storable(item) for key, item in value.items())
    return is_scalar(value)
