"""A study file to start from: what a table of one's own suggests, with the reasons as comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from satisfice.data import Splits, load
from satisfice.errors import InputError
from satisfice.spec.study import DataSpec
from satisfice.spec.toml import toml_value
from satisfice.study.before.starter_spaces import FEW_ROWS, family_lines, space_lines

_BALANCED = 0.3  # least share of the rarer of two classes from which on accuracy says enough
_EVEN = 0.5  # the same of several classes, as a part of an equal share
_SEED = 1
_WIDTH = 118  # columns of a comment
_MOST_NAMED = 12  # columns in one comment
_TRIALS = 40


@dataclass(frozen=True, kw_only=True)
class Starter:
    """A study file that is not written yet, and what it rests on."""

    name: str  # of the study
    task: str  # "classification" or "regression"
    family: str
    objective: str  # the first one
    rows: int
    columns: int  # that are used
    notes: tuple[str, ...]  # of single columns
    content: str  # of the file


def starter(file: Path, target: str, *, beside: Path) -> Starter:
    """Read a table and propose a study of it.

    The data are read and split exactly as the study will do it, so that what cannot be used is refused here.

    Args:
        file: CSV, or what else ``[data] file`` takes.
        target: The column to predict.
        beside: The folder of the study file, from which it names the data.

    Raises:
        InputError: There is no such file.
        DataError: It cannot be used: no such column, a single class, too few rows, ...
    """
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise InputError(f"{file} {what}", hint="name a table, for instance data.csv")
    spec = DataSpec(file=_relative(file, beside), target=target)
    splits = load(spec, beside, _SEED)
    chosen = _Proposal.of(splits)
    name = _study_name(file)
    head = (
        _comment(_headline(file, target, chosen)),
        *_comment_lines(
            "Everything here is a proposal: change what you know better. `satisfice check FILE` says how "
            "much of the space fits the bounds, `satisfice run FILE` searches."
        ),
        "",
        f"name = {toml_value(name)}",
        f"seed = {_SEED}                       # of the split, the search and every training",
    )
    parts = (
        head,
        _data_lines(spec, splits),
        family_lines(chosen.family, positive_class=chosen.imbalanced and chosen.n_classes == 2),
        _objective_lines(chosen),
        _bound_lines(),
        space_lines(chosen.family, rows=chosen.rows),
        ("[budget]", f"trials = {_TRIALS}", 'timeout = "10m"                # whichever comes first'),
    )
    return Starter(
        name=name,
        task=splits.task,
        family=chosen.family,
        objective=chosen.objective[0],
        rows=chosen.rows,
        columns=_used(splits)[0],
        notes=tuple(map(str, splits.notes)),
        content="\n\n".join("\n".join(part) for part in parts) + "\n",
    )


@dataclass(frozen=True, kw_only=True)
class _Proposal:
    """What is proposed."""

    family: str
    objective: tuple[str, str, str]  # metric, direction, why
    imbalanced: bool
    rows: int
    n_classes: int

    @classmethod
    def of(cls, splits: Splits) -> _Proposal:
        rows = len(splits.train) + len(splits.valid) + len(splits.test)
        imbalanced, objective = _objective(splits)
        return cls(
            family="linear" if rows < FEW_ROWS else "boosting",
            objective=objective,
            imbalanced=imbalanced,
            rows=rows,
            n_classes=splits.n_classes,
        )


def _objective(splits: Splits) -> tuple[bool, tuple[str, str, str]]:
    if splits.task == "regression":
        return False, ("rmse", "minimize", "in the unit of the target")
    shares = np.bincount(splits.train.y, minlength=splits.n_classes) / len(splits.train)
    least = float(shares.min())
    if splits.n_classes == 2:
        if least >= _BALANCED:
            return False, ("accuracy", "maximize", f"the classes are balanced: {least:.0%} are positive")
        why = f"{least:.0%} are positive: accuracy would reward a model that never says so"
        return True, ("f1", "maximize", why)
    if least >= _EVEN / splits.n_classes:
        return False, ("accuracy", "maximize", f"{splits.n_classes} classes of similar size")
    return True, ("balanced_accuracy", "maximize", f"the rarest of {splits.n_classes} classes: {least:.1%}")


def _headline(file: Path, target: str, chosen: _Proposal) -> str:
    kind = f"{chosen.n_classes} classes" if chosen.n_classes else "a number"
    return f"{file.name}: predict `{target}` ({kind}) from {chosen.rows:,} rows."


def _data_lines(spec: DataSpec, splits: Splits) -> tuple[str, ...]:
    used, names = _used(splits)
    lines = ["[data]", f"file = {toml_value(spec.file)}", f"target = {toml_value(spec.target)}"]
    if splits.n_classes == 2:
        positive = f"positive = {toml_value(splits.classes[1])}"
        lines.append(f"{positive}  # the rarer one; precision, recall and f1 are about it")
    rows = f"{len(splits.train):,} rows train, {len(splits.valid):,} validate, {len(splits.test):,} test"
    count = "1 column is" if used == 1 else f"{used} columns are"
    found = [f"{rows}, the last only for what is chosen.", f"{count} used: {names}."]
    found += [f"Note: {note}." for note in map(str, splits.notes)]
    found.append("Leave out what is not known yet when the model is asked:")
    lines += [line for sentence in found for line in _comment_lines(sentence)]
    return (*lines, '# drop = ["column"]')


def _used(splits: Splits) -> tuple[int, str]:
    names = [str(column.name) for column in getattr(splits.preprocessor, "columns", ())]
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return len(names), ", ".join(names[:_MOST_NAMED]) + more


def _objective_lines(chosen: _Proposal) -> tuple[str, ...]:
    metric, direction, why = chosen.objective
    return (
        "[objectives]",
        f'{metric} = "{direction}"   # {why}',
        'size_kb = "minimize"           # how small may the file get, and at which price?',
    )


def _bound_lines() -> tuple[str, ...]:
    return (
        "[constraints]                  # bounds: a model that breaks one is never chosen",
        'size_kb = "<= 500"             # the ONNX file that ships, preprocessing included',
        'latency_ms = "<= 5"            # one row, on the machine that measures',
    )


def _relative(file: Path, beside: Path) -> str:
    """As the study file names it: relative to itself where it lies below, else absolute."""
    found = file.resolve()
    folder = beside.resolve()
    return found.relative_to(folder).as_posix() if found.is_relative_to(folder) else str(found)


def _study_name(file: Path) -> str:
    stem = PurePath(file.name.split(".")[0]).name
    return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-").lower() or "study"


def _comment(text: str) -> str:
    return f"# {' '.join(_printable(text).split())}"


def _comment_lines(text: str) -> Iterator[str]:
    """The text as comments of at most `_WIDTH` columns."""
    line = "#"
    for word in _printable(text).split():
        if len(line) + 1 + len(word) > _WIDTH and line != "#":
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _printable(text: str) -> str:
    """Without control characters, which TOML refuses even in comments."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
