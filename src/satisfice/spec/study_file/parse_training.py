"""Reading what trains: ``[data]`` and ``[model]``, or ``[task]``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.spec import grammar
from satisfice.spec.advice.habits import key_advice
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Budget, DataSpec, ModelSpec, TaskSpec
from satisfice.spec.study_file.read import Table, is_number, is_scalar, show
from satisfice.spec.toml import assignment

_IMAGE_SIZE = "image_size"  # the hyperparameter
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
    _check_source(table, read)
    if read["target"] in read["drop"]:
        raise table.error(
            f"drops the target {show(read['target'])}", key="drop", hint="remove it from the list"
        )
    _check_text(table, read)
    _check_folds(table, read)
    if read["folds"] is None and read["valid"] + read["test"] >= 1:
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
        for key in ("target", "time", "groups"):
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


_SOURCES = ("name", "file", "folder")


def _check_source(table: Table, read: Mapping[str, Any]) -> None:
    """One source, with the keys that go with it.

    Raises:
        SpecError: There are several or none, or a key belongs to another one.
    """
    given = [key for key in _SOURCES if read[key] is not None]
    if len(given) != 1:
        told = "has both " + " and ".join(given) if given else "names no data"
        hint = "remove one of them" if len(given) == 2 else "keep one of them"
        if not given:
            hint = 'give one of name = "digits" and file = "mails.csv", or folder = "photos"'
        raise table.error(told, hint=hint)
    source = given[0]
    if source == "file" and read["target"] is None:
        raise table.error("is missing", key="target", hint='name the column to predict: target = "label"')
    of_file = {
        "name": ("target", "time", "groups", "images"),
        "folder": ("target", "time", "groups", "images", "drop", "text"),
    }
    told_as = {"name": "a registered data set", "folder": "a folder"}
    for key in of_file.get(source, ()):
        if read[key]:
            raise table.error(f"goes with file, not with {told_as[source]}", key=key, hint=f"remove {key}")
    if source == "folder" and read["task"] == "regression":
        raise table.error("the folders of pictures are classes, not numbers", key="task", hint="remove task")
    pictures = source == "folder" or read["images"] is not None
    for key in ("skip_broken", "size"):
        if read[key] and not pictures:
            raise table.error("goes with pictures: with folder or images", key=key, hint=f"remove {key}")
    if read["images"] is not None:
        _check_images(table, read)


def _check_images(table: Table, read: Mapping[str, Any]) -> None:
    """What goes with a column of paths."""
    if read["images"] in (read["target"], read["time"], read["groups"]):
        raise table.error(
            f"{show(read['images'])} is the column of the target, the time or the groups",
            key="images",
            hint="name the column of paths",
        )
    for key in ("drop", "text"):
        if read[key]:
            hint = f"remove {key}: only the pictures are learnt from"
            raise table.error("does not go with images", key=key, hint=hint)


def with_picture_size(
    top: Table, data: DataSpec | None, model: ModelSpec | None, space: SearchSpace
) -> DataSpec | None:
    """Pictures kept as large as the largest ``image_size`` of the study needs, where none is stated.

    Raises:
        SpecError: They would be kept smaller than that.
    """
    if data is None or (data.folder is None and data.images is None):
        return data
    largest = _largest_size(model, space)
    if data.size is None:
        return replace(data, size=int(largest)) if largest else data
    if largest > data.size:
        raise top.child("data").error(
            f"is {data.size}, but image_size goes up to {largest:g}",
            key="size",
            hint="raise it, or leave it out",
        )
    return data


def _largest_size(model: ModelSpec | None, space: SearchSpace) -> float:
    """Of the values that ``image_size`` may take; 0 where the study does not name it."""
    found = [model.fixed.get(_IMAGE_SIZE, 0)] if model is not None else []
    parameter = space.by_name.get(_IMAGE_SIZE)
    if parameter is not None:
        d = parameter.distribution
        if isinstance(d, CategoricalDistribution):
            found += d.choices
        elif isinstance(d, IntDistribution | FloatDistribution):
            found.append(d.high)
    return max((float(each) for each in found if is_number(each)), default=0.0)


def check_total_epochs(top: Table, data: DataSpec | None, budget: Budget | None) -> None:
    """See that a cross-validated trial has epochs for each of its trainings.

    Raises:
        SpecError: `total_epochs` is less than one trial takes.
    """
    if data is None or data.folds is None or budget is None or budget.total_epochs is None:
        return
    trainings = data.folds + 1
    least = trainings * (budget.epochs or 1)
    if budget.total_epochs < least:
        raise top.error(
            f"{budget.total_epochs} is less than the {least} epochs of one trial: {data.folds} folds, and "
            "one training on all their rows",
            key="budget.total_epochs",
            hint="raise total_epochs, or lower epochs or folds",
        )


def _check_folds(table: Table, read: Mapping[str, Any]) -> None:
    """See that `folds` and `groups` go with the other keys.

    Raises:
        SpecError: They do not.
    """
    if read["folds"] is not None:
        if "valid" in table.content:
            raise table.error(
                f"does not go with folds = {read['folds']}, where each fold validates once",
                key="valid",
                hint="remove valid",
            )
        if read["time"] is not None:
            raise table.error(
                "does not go with time: later rows would train what earlier ones validate",
                key="folds",
                hint="remove folds or time",
            )
    if read["groups"] is not None and read["groups"] == read["target"]:
        raise table.error(
            f"is the target {show(read['groups'])}",
            key="groups",
            hint="name the column that tells which rows belong together",
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
