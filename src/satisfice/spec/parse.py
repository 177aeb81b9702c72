"""From a study file (TOML) or a dict of the same content to a checked `StudySpec`.

The grammar's tables are in `satisfice.spec.grammar`. What only a family of models can tell (its hyperparameters, what
it measures) is checked by `satisfice.spec.family.check_against`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from satisfice.errors import SpecError
from satisfice.registry import did_you_mean
from satisfice.spec import grammar
from satisfice.spec.family import FamilyInfo, check_against
from satisfice.spec.metric import METRICS
from satisfice.spec.parse_metrics import read_constraints, read_objectives
from satisfice.spec.parse_space import read_space, read_start
from satisfice.spec.read import Table, is_scalar, show
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import (
    Budget,
    DataSpec,
    MeasureOptions,
    ModelSpec,
    SearchOptions,
    StudySpec,
    TaskSpec,
)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")

Families = Callable[[str], FamilyInfo]


def parse_file(path: Path | str, *, families: Families | None = None) -> StudySpec:
    """Read a study file.

    Args:
        path: TOML, UTF-8.
        families: Looks a family of models up; then the spec is checked against it as well.

    Raises:
        SpecError: The file is missing, no TOML, or wrong; the sentence names file, dotted key and fix.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SpecError("no such file", file=str(path), hint=_neighbours(path)) from None
    except UnicodeDecodeError as error:
        raise SpecError(
            f"is not UTF-8 text (byte {error.start})", file=str(path), hint="save it as UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(
            f"cannot be read: {reason}", file=str(path), hint="give the path of a TOML file"
        ) from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"is not valid TOML: {error}", file=str(path), hint="mend that line") from None
    except (RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SpecError(f"is not valid TOML: {reason}", file=str(path), hint="simplify it") from None
    return parse_dict(content, source=path.resolve(), file=str(path), families=families)


def _neighbours(path: Path) -> str:
    try:
        names = sorted(p.name for p in path.parent.glob("*.toml"))
    except OSError:
        names = []
    if not names:
        return "give the path of a study file"
    return did_you_mean(path.name, names) if len(names) < 30 else "give the path of a study file"


def parse_dict(
    content: Mapping[str, Any],
    *,
    source: Path | None = None,
    file: str | None = None,
    has_task: bool = False,
    families: Families | None = None,
) -> StudySpec:
    """Check a dict with a study file's content.

    Args:
        content: As TOML reads it; tuples may stand for lists.
        source: The study file, from which relative paths start.
        file: How error messages name it.
        has_task: A task object is passed from Python: then there is no [data], [model] or [task], and metrics have
            any names.
        families: Looks a family of models up; then the spec is checked against it as well.

    Raises:
        SpecError: Something is wrong; the sentence names file, dotted key and fix.
    """
    if not isinstance(content, Mapping):
        raise SpecError(
            f"must be a table, not {show(content)}", file=file, hint="pass a dict with a study file's content"
        )
    top = Table(content, "", file or (str(source) if source else None))
    top.check_keys(grammar.TOP, tuple(grammar.TABLE_DOCS))
    for name in grammar.TABLE_DOCS:
        top.child(name)
    name, seed = _name(top), top.read("seed", grammar.TOP["seed"])
    data, model, task = _what_trains(top, has_task=has_task)
    for required in grammar.REQUIRED_TABLES:
        if required not in content:
            raise top.error(f"the table [{required}] is missing", hint=grammar.TABLE_DOCS[required])
    info = families(model.family) if families is not None and model is not None else None
    allowed = _metric_names(info) if model is not None else None
    objectives = read_objectives(top.child("objectives"), allowed)
    constraints = read_constraints(top.child("constraints"), allowed)
    space = read_space(top.child("space"))
    _check_names(top, space, model, {*(o.metric for o in objectives), *(c.metric for c in constraints)})
    spec = StudySpec(
        name=name,
        seed=seed,
        data=data,
        model=model,
        task=task,
        objectives=objectives,
        constraints=constraints,
        space=space,
        budget=_budget(top.child("budget")),
        search=_search(top.child("search"), space),
        measure=_measure(top.child("measure")),
        source=source,
    )
    if info is not None:
        check_against(spec, info, file=top.file)
    return spec


def _metric_names(info: FamilyInfo | None) -> Collection[str]:
    """Every metric that exists; a family of another package may bring its own."""
    return {*METRICS, *info.measures} if info is not None else set(METRICS)


def _name(top: Table) -> str:
    name = top.read("name", grammar.TOP["name"])
    if not _NAME.fullmatch(name):
        suggestion = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("-.")[:200] or "my-study"
        raise top.error(
            f"{show(name)} is not a study name",
            key="name",
            hint=f'at most 200 letters, digits, "-", "_" and ".", for instance "{suggestion}"',
        )
    return str(name)


def _what_trains(top: Table, *, has_task: bool) -> tuple[DataSpec | None, ModelSpec | None, TaskSpec | None]:
    """[data] with [model], or [task], or none of them for a task from Python."""
    given = [name for name in ("data", "model", "task") if name in top.content]
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
        return None, None, _task(top.child("task"))
    for name in ("data", "model"):
        if name not in given:
            raise top.error(
                f"the table [{name}] is missing",
                hint="give [data] and [model], or [task] for your own training code",
            )
    return _data(top.child("data")), _model(top.child("model")), None


def _data(table: Table) -> DataSpec:
    table.check_keys(grammar.DATA)
    read = table.section(grammar.DATA)
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
    if read["valid"] + read["test"] >= 1:
        raise table.error(
            f"valid {read['valid']} and test {read['test']} leave no row to train on",
            hint="make their sum less than 1",
        )
    return DataSpec(**{**read, "valid": float(read["valid"]), "test": float(read["test"])})


def _model(table: Table) -> ModelSpec:
    table.texts()
    family = table.read("family", grammar.MODEL["family"])
    fixed = {key: value for key, value in table.content.items() if key != "family"}
    for key, value in fixed.items():
        if isinstance(value, Mapping):
            raise table.error("must be one value, not a table", key=key, hint="a range belongs in [space]")
        if not _plain(value):
            raise table.error(
                f"{show(value)} is not a value of a hyperparameter",
                key=key,
                hint="write a finite number, a string, true or false",
            )
    return ModelSpec(family=family, fixed={key: _listed(value) for key, value in fixed.items()})


def _task(table: Table) -> TaskSpec:
    table.texts()
    entry = table.read("entry", grammar.TASK["entry"])
    if not _ENTRY.fullmatch(entry):
        raise table.error(
            f"{show(entry)} names no object of a module", key="entry", hint='write "package.module:Name"'
        )
    options = {key: value for key, value in table.content.items() if key != "entry"}
    for key, value in options.items():
        if not key.isidentifier():
            raise table.error("is not the name of an argument", key=key, hint="use letters, digits and _")
        if not _plain(value):
            raise table.error(
                f"{show(value)} cannot be kept",
                key=key,
                hint="use strings, finite numbers, true or false, lists, tables",
            )
    return TaskSpec(entry=entry, options={key: _listed(value) for key, value in options.items()})


def _plain(value: Any) -> bool:
    """Whether JSON and TOML both can hold it."""
    if isinstance(value, list | tuple):
        return all(_plain(item) for item in value)
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _plain(item) for key, item in value.items())
    return is_scalar(value)


def _listed(value: Any) -> Any:
    """The same with lists for tuples and dicts for other mappings."""
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    return value


def _check_names(top: Table, space: SearchSpace, model: ModelSpec | None, metrics: set[str]) -> None:
    """A name means one thing: fixed or searched, parameter or metric."""
    for name in space.names:
        if model is not None and name in model.fixed:
            raise top.error(
                "is fixed in [model] and searched here", key=f"space.{name}", hint="remove one of the two"
            )
        if name in metrics:
            raise top.error(
                "is the name of a metric as well", key=f"space.{name}", hint="rename the parameter"
            )


def _budget(table: Table) -> Budget:
    table.check_keys(grammar.BUDGET)
    read = table.section(grammar.BUDGET)
    if None not in (read["epochs"], read["total_epochs"]) and read["total_epochs"] < read["epochs"]:
        raise table.error(
            f"{read['total_epochs']} is less than the {read['epochs']} epochs of one trial",
            key="total_epochs",
            hint="raise total_epochs or lower epochs",
        )
    timeout = read.pop("timeout")
    return Budget(**read, timeout_s=timeout)


def _search(table: Table, space: SearchSpace) -> SearchOptions:
    table.check_keys(grammar.SEARCH)
    read = table.section(grammar.SEARCH)
    return SearchOptions(**{**read, "start": read_start(table, space)})


def _measure(table: Table) -> MeasureOptions:
    table.check_keys(grammar.MEASURE)
    return MeasureOptions(**table.section(grammar.MEASURE))
