"""From a study file (TOML) or a dict of the same content to a checked `StudySpec`.

The grammar is in `satisfice.spec.grammar`. What only a family of models can tell (its
hyperparameters, what it measures) is checked by `satisfice.spec.study_file.family_checks.check_against`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from satisfice.errors import InputError, MissingExtra, SpecError
from satisfice.registry import did_you_mean
from satisfice.spec import grammar
from satisfice.spec.family import FamilyInfo
from satisfice.spec.metric import LEVEL_KEYS, METRICS
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import (
    Budget,
    ChooseOptions,
    MeasureOptions,
    ModelSpec,
    SearchOptions,
    ShipOptions,
    StudySpec,
)
from satisfice.spec.study_file.family_checks import Known, Parts, check_parts
from satisfice.spec.study_file.parse_metrics import read_constraints, read_objectives
from satisfice.spec.study_file.parse_profiles import read_profiles
from satisfice.spec.study_file.parse_space import read_space, read_start
from satisfice.spec.study_file.parse_training import check_total_epochs, read_training, with_picture_size
from satisfice.spec.study_file.read import Problems, Table, plain, show
from satisfice.spec.study_file.text import read_toml

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")

Families = Callable[[str], FamilyInfo]
T = TypeVar("T")


def parse_file(
    path: Path | str, *, families: Families | None = None, known: Known | None = None
) -> StudySpec:
    """Read a study file.

    Args:
        path: TOML, UTF-8.
        families: Looks a family of models up; then the spec is checked against it as well.
        known: Names that exist, by dotted key (see `check_names`).

    Raises:
        SpecError: The file is missing, no TOML, or wrong; it tells every problem, each with file, dotted key
            and fix.
    """
    if not str(path):
        raise SpecError("no study file is named", hint="give the path of one")
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SpecError("no such file", file=str(path), hint=_neighbours(path)) from None
    except IsADirectoryError:
        raise SpecError("is a folder", file=str(path), hint=_inside(path)) from None
    except UnicodeDecodeError as error:
        raise SpecError(
            f"is not UTF-8 text (byte {error.start})", file=str(path), hint="save it as UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(
            f"cannot be read: {reason}", file=str(path), hint="give the path of a TOML file"
        ) from None
    content = read_toml(text, path)
    return parse_dict(content, source=path.resolve(), file=str(path), families=families, known=known)


def _neighbours(path: Path) -> str:
    try:
        names = sorted(p.name for p in path.parent.glob("*.toml") if p.exists())  # a link may lead nowhere
    except OSError:
        names = []
    if not names:
        return "give the path of a study file"
    return did_you_mean(path.name, names) if len(names) < 30 else "give the path of a study file"


def _inside(folder: Path) -> str:
    names = sorted(p.name for p in folder.glob("*.toml"))
    return f"name a study file in it: {', '.join(names[:5])}" if names else "give the path of a study file"


def parse_dict(
    content: Mapping[str, Any],
    *,
    source: Path | None = None,
    file: str | None = None,
    has_task: bool = False,
    stored: bool = False,
    families: Families | None = None,
    known: Known | None = None,
) -> StudySpec:
    """Check a dict with a study file's content.

    Args:
        content: As TOML reads it; tuples, paths and numpy's numbers are taken for what TOML would hold.
        source: The study file, from which relative paths start.
        file: How error messages name it.
        has_task: A task object is passed from Python: then there is no [data], [model] or [task], and metrics
            have any names.
        stored: It comes from a database: what an earlier version accepted is accepted.
        families: Looks a family of models up; then the spec is checked against it as well.
        known: Names that exist, by dotted key (see `check_names`).

    Raises:
        SpecError: Something is wrong; it tells every problem, each with file, dotted key and fix.
    """
    if not isinstance(content, Mapping):
        raise SpecError(
            f"must be a table, not {show(content)}", file=file, hint="pass a dict with a study file's content"
        )
    content = plain(content)
    problems = Problems()
    top = Table(content, "", file or (str(source) if source else None), problems, stored)
    spec = problems.attempt(lambda: _read(top, source, families, known or {}, has_task=has_task))
    problems.tell([key for key in content if isinstance(key, str)])
    assert spec is not None  # nothing was wrong
    return spec


def _read(
    top: Table, source: Path | None, families: Families | None, known: Known, *, has_task: bool
) -> StudySpec | None:
    """All tables, each by itself and then against each other; None where something required is wrong.

    Raises:
        SpecError: A key of the top is no string, or the tables do not go together.
    """
    attempt = top.problems.attempt
    _check_outline(top)
    meant = top.check_keys(grammar.TOP, tuple(grammar.TABLE_DOCS))
    _check_tables(top, meant)
    name = attempt(lambda: _name(top)) if "name" in top.content or "name" not in meant else None
    seed = attempt(lambda: top.read("seed", grammar.TOP["seed"]))
    data, model, task = read_training(top, has_task=has_task, meant=meant)
    info = attempt(lambda: _look_up(top, model, families))
    own = has_task or "task" in top.content
    allowed = None if own else _metric_names(info)
    objectives = _section(top, "objectives", lambda table: read_objectives(table, allowed)) or ()
    constraints = _section(top, "constraints", lambda table: read_constraints(table, allowed)) or ()
    profiles = (
        _section(top, "profiles", lambda table: read_profiles(table, objectives, constraints, allowed)) or ()
    )
    space = _section(top, "space", read_space) or SearchSpace(parameters=())
    data = attempt(lambda: with_picture_size(top, data, model, space))
    metrics = {*(o.metric for o in objectives), *(c.metric for c in constraints)}
    _check_names(top, space, model, info, metrics.union(*(p.metrics for p in profiles)))
    budget = _section(top, "budget", _budget)
    attempt(lambda: check_total_epochs(top, data, budget))
    search = _section(top, "search", lambda table: _search(table, space, top.content.get("space")))
    ship = _section(top, "ship", lambda table: _ship(table, model, info))
    choose = _section(top, "choose", _choose)
    before = len(top.problems)
    measure = _section(
        top, "measure", lambda table: _measure(table, ship or ShipOptions(), own=model is None)
    )
    if measure is not None and len(top.problems) == before and "measure" not in meant and not own:
        named = {f"objectives.{o.metric}": o.metric for o in objectives}
        named |= {f"constraints.{c.metric}": c.metric for c in constraints}
        named |= {f"profiles.{p.name}": name for p in profiles for name in p.metrics if name in LEVEL_KEYS}
        _check_levels(top, measure, named)
    parts = Parts(
        data=data,
        model=model,
        search=search,
        ship=ship or ShipOptions(),
        objectives=objectives,
        constraints=constraints,
        profiles=profiles,
        space=space,
    )
    with top.problems.kept():
        check_parts(parts, info, known, file=top.file)
    if name is None or budget is None or not objectives or not len(space):
        return None
    return StudySpec(
        name=name,
        seed=seed or 0,
        data=data,
        model=model,
        task=task,
        objectives=objectives,
        constraints=constraints,
        space=space,
        budget=budget,
        search=search or SearchOptions(),
        measure=measure or MeasureOptions(),
        ship=ship or ShipOptions(),
        profiles=profiles,
        choose=choose or ChooseOptions(),
        source=source,
    )


def _section(top: Table, name: str, read: Callable[[Table], T | None]) -> T | None:
    """What ``read`` makes of a table; None where it is no table, is missing though required, or is wrong."""
    given = top.content.get(name, {})
    if not isinstance(given, Mapping) or (name not in top.content and name in grammar.REQUIRED_TABLES):
        return None  # told already
    return top.problems.attempt(lambda: read(top.child(name)))


def _check_outline(top: Table) -> None:
    """Refuse what is no study at all in one sentence, not in one for each table."""
    if not top.content:
        tables = ", ".join(f"[{name}]" for name in ("data", "model", *grammar.REQUIRED_TABLES))
        raise top.error("is empty", hint=f'write name = "my-study" and the tables {tables}')
    if set(top.content) & {"name", *grammar.TABLE_DOCS}:
        return
    for key, value in top.content.items():
        inner = value.get("satisfice", value) if isinstance(value, Mapping) else {}
        if isinstance(inner, Mapping) and set(inner) & set(grammar.TABLE_DOCS):
            hint = "move its keys to the top of the file, and write [space] for what is a table of it"
            raise top.error(f"a study file has no [{key}] around it", hint=hint)


def _check_tables(top: Table, meant: Collection[str]) -> None:
    """None that is always needed is missing, and each is a table."""
    for name, doc in grammar.TABLE_DOCS.items():
        with top.problems.kept():
            if name in grammar.TRAINING_TABLES:
                continue  # read later, or not at all
            top.child(name)
            if name in grammar.REQUIRED_TABLES and name not in top.content and name not in meant:
                raise top.error(f"the table [{name}] is missing", hint=f"add it: {doc.rstrip('.')}")


def _look_up(top: Table, model: ModelSpec | None, families: Families | None) -> FamilyInfo | None:
    if families is None or model is None:
        return None
    try:
        return families(model.family)
    except MissingExtra:
        raise
    except InputError as error:
        raise top.error(error.message, key="model.family", hint=error.hint) from None


def _metric_names(info: FamilyInfo | None) -> Collection[str]:
    """Every metric that exists; a family of another package may bring its own."""
    return {*METRICS, *info.measures} if info is not None else set(METRICS)


def _name(top: Table) -> str:
    name = top.read("name", grammar.TOP["name"])
    if not _NAME.fullmatch(name):
        suggestion = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("-.")[:40] or "my-study"
        raise top.error(
            f"{show(name)} is not a study name",
            key="name",
            hint=f'at most 200 letters, digits, "-", "_" and ".", for instance "{suggestion}"',
        )
    return str(name)


def _check_names(
    top: Table, space: SearchSpace, model: ModelSpec | None, info: FamilyInfo | None, metrics: set[str]
) -> None:
    """A name means one thing: fixed or searched, parameter or metric."""
    for name in space.names:
        key = f"space.{name}"
        with top.problems.kept():
            if model is not None and name in model.fixed:
                raise top.error(
                    "is fixed in [model] and searched here", key=key, hint="remove one of the two"
                )
            if name in metrics:
                of_the_family = info is not None and name in info.hyperparameters
                hint = "bound its range instead" if of_the_family else "rename the parameter"
                raise top.error("is the name of a metric as well", key=key, hint=hint)


def _budget(table: Table) -> Budget | None:
    before = len(table.problems)
    read = table.section(grammar.BUDGET, table.check_keys(grammar.BUDGET))
    if len(table.problems) > before:
        return None
    if None not in (read["epochs"], read["total_epochs"]) and read["total_epochs"] < read["epochs"]:
        raise table.error(
            f"{read['total_epochs']} is less than the {read['epochs']} epochs of one trial",
            key="total_epochs",
            hint="raise total_epochs or lower epochs",
        )
    timeout = read.pop("timeout")
    return Budget(**read, timeout_s=timeout)


def _search(table: Table, space: SearchSpace, written: Any) -> SearchOptions:
    """[search]; ``written`` is [space] as it stands, whose wrong parameters are told already."""
    table.check_keys(grammar.SEARCH)
    read = table.section(grammar.SEARCH)
    refused = set(written if isinstance(written, Mapping) else ()) - set(space.names)
    start = read_start(table, space, read["start"], refused) if len(space) else ()
    return SearchOptions(**{**read, "start": start})


def _ship(table: Table, model: ModelSpec | None, info: FamilyInfo | None) -> ShipOptions:
    table.check_keys(grammar.SHIP)
    asked = table.section(grammar.SHIP)["format"]
    can = model is not None and (info is None or hasattr(info, "precisions"))
    if asked == "onnx" and not can:
        what = "own training code" if model is None else f"a model of the family {show(model.family)}"
        raise table.error(
            f"{what} cannot be written as ONNX", key="format", hint='leave it out, or write "safetensors"'
        )
    return ShipOptions(format=asked or ("onnx" if can else "safetensors"))


def _choose(table: Table) -> ChooseOptions:
    table.check_keys(grammar.CHOOSE)
    return ChooseOptions(**table.section(grammar.CHOOSE))


def _measure(table: Table, ship: ShipOptions, *, own: bool) -> MeasureOptions:
    table.check_keys(grammar.MEASURE)
    read = table.section(grammar.MEASURE)
    for key in LEVEL_KEYS.values():
        read[key] = None if read[key] is None else float(read[key])  # 1 and 1.0 are one study
    if read["runtime"] == "onnxruntime" and ship.format != "onnx":
        fix = "remove it" if own else 'remove it, or write format = "onnx" under [ship]'
        raise table.error("does not go with a file that is not ONNX", key="runtime", hint=fix)
    read["watts"] = float(read["watts"])
    runtime = read["runtime"] or ("onnxruntime" if ship.format == "onnx" else "torch")
    return MeasureOptions(**{**read, "runtime": runtime})


def _check_levels(top: Table, measure: MeasureOptions, named: Mapping[str, str]) -> None:
    """A metric at a level needs the level; a task of one's own may mean something else by the name.

    Args:
        top: The file.
        measure: Its [measure].
        named: Metrics by the dotted key that names them.
    """
    for metric, key in LEVEL_KEYS.items():
        place = next((where for where, name in named.items() if name == metric), None)
        if place is not None and getattr(measure, key) is None:
            with top.problems.kept():
                raise top.error(
                    f"is missing, and {place} needs it",
                    key=f"measure.{key}",
                    hint=f"write {key} = {grammar.MEASURE[key].example} under [measure]",
                )
