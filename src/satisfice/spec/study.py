"""The study spec: a study file once it has been checked. Frozen; inside the first wall it is trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from satisfice.errors import InputError
from satisfice.registry import nearest
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Objective as Objective
from satisfice.spec.profile import Profile
from satisfice.spec.space import SearchSpace
from satisfice.spec.toml import toml_key

FIRST_READING = 1  # pandas infers what each column of a file is; studies without another one were made so
RULES_READING = 2  # by rules that are learnt from whole columns and kept with the model
READING = 3  # and columns of long texts are recognised


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSpec:
    """Which data, and how it is split."""

    name: str | None = None  # a registered data set
    file: str | None = None  # or a CSV or Parquet file, relative to the study file
    folder: str | None = None  # or a folder that holds a folder of pictures for each class
    target: str | None = None  # column to predict (with `file`)
    images: str | None = None  # column with paths of pictures, which are then all that is learnt from
    skip_broken: bool = False  # leave out pictures that cannot be read
    size: int | None = None  # height and width as which pictures are kept; None: what the study needs
    drop: tuple[str, ...] = ()  # columns that must not be seen
    positive: Any = None  # the positive class of a binary target; None: the rarer one
    task: str | None = None  # "classification" or "regression"; None: inferred from the target
    time: str | None = None  # column to split by time
    valid: float = 0.2  # share of the rows
    test: float = 0.2  # share of the rows
    limit: int | None = None  # use only so many rows, drawn by the seed
    text: tuple[str, ...] | None = None  # columns read as text; None: inferred
    near_duplicates: str | None = (
        None  # "warn", "group" or "ignore" rows with nearly equal texts; None: "warn"
    )
    folds: int | None = None  # cross-validation with so many; None: one validation split
    groups: str | None = None  # column whose rows stay together in one split or fold
    reading: int = READING  # how cells are read; no key of a study file, since a study keeps the one it has


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """Which family of models, and its fixed hyperparameters."""

    family: str
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """A person's own training code."""

    entry: str  # "package.module:Name"
    options: Mapping[str, Any] = field(
        default_factory=dict
    )  # other keys of [task]: keyword arguments of a class


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What the study may spend; may be changed later."""

    trials: int  # exact, over all workers
    epochs: int | None = None  # at most, for one trial
    total_epochs: int | None = None  # over all trials
    timeout_s: float | None = None  # in which any worker was active, once however many were


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchOptions:
    """How to search."""

    sampler: str = "auto"
    pruner: str = "auto"
    replicate: int = 1  # trainings in all of each top candidate, with other seeds, inside the budget
    start: tuple[Mapping[str, Any], ...] = ()  # first trials


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureOptions:
    """How to measure latency, memory and throughput, and the levels of the metrics that have one."""

    threads: int = 1
    batch: int = 1
    throughput_batch: int = 64
    on: str | None = None  # only workers with this label measure
    precision_level: float | None = None  # of recall_at_precision; above 0, at most 1
    recall_level: float | None = None  # of precision_at_recall; above 0, at most 1
    watts: float = 10.0  # of one busy core, for energy where no counter can be read
    runtime: str = "torch"  # "onnxruntime", or "torch": the library that trained the model


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """The least precision and recall that the metrics at a level ask for; None: the metric is not wanted."""

    precision: float | None = None  # of recall_at_precision; above 0, at most 1
    recall: float | None = None  # of precision_at_recall; above 0, at most 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ShipOptions:
    """What ships."""

    format: str = "safetensors"  # or "onnx"


Rule = Literal["value", "one-standard-error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChooseOptions:
    """How the trial to ship is chosen; may be changed later."""

    rule: Rule = "value"  # the best by its value, or the cheapest within one standard error of the best


def _here() -> Path:
    """The working directory; where it was deleted, what stands for it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()


@dataclass(frozen=True, kw_only=True)
class StudySpec:
    """A checked study."""

    name: str
    seed: int = 0
    data: DataSpec | None = None
    model: ModelSpec | None = None  # given exactly with `data`
    task: TaskSpec | None = None  # given instead; None also for a task object passed from Python
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    space: SearchSpace
    budget: Budget
    search: SearchOptions = field(default_factory=SearchOptions)
    measure: MeasureOptions = field(default_factory=MeasureOptions)
    ship: ShipOptions = field(default_factory=ShipOptions)
    profiles: tuple[Profile, ...] = ()  # may be changed later
    choose: ChooseOptions = field(default_factory=ChooseOptions)
    source: Path | None = field(default=None, compare=False)  # the study file; not part of the digest
    # Whether equal networks that are spelt in two ways are one architecture; False of studies stored before.
    canonical: bool = field(default=True, compare=False)
    made_in: Path = field(default_factory=_here, compare=False, repr=False)  # own code may leave it later

    @property
    def base_dir(self) -> Path:
        """Folder that relative paths start from."""
        return self.source.parent.absolute() if self.source is not None else self.made_in

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Metrics that the study names: objectives, constraints, those of the profiles, each once."""
        named = [o.metric for o in self.objectives] + [c.metric for c in self.constraints]
        return tuple(dict.fromkeys([*named, *(name for p in self.profiles for name in p.metrics)]))

    @property
    def bounds(self) -> tuple[Constraint, ...]:
        """The constraints, then the bounds of the profiles, each once."""
        return tuple(dict.fromkeys([*self.constraints, *(c for p in self.profiles for c in p.constraints)]))

    def profile(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            InputError: There is none; the message lists those there are.
        """
        for profile in self.profiles:
            if profile.name == name:
                return profile
        names = [p.name for p in self.profiles]
        if not names:
            raise InputError(
                f"study {self.name!r} has no profile {name!r}, nor any other",
                hint=f"write [profiles.{toml_key(name)}] in its file and run it again",
            )
        listed = f"it has {', '.join(names)}"
        near = nearest(name, names)
        raise InputError(
            f"study {self.name!r} has no profile {name!r}",
            hint=f"{listed}; did you mean {near!r}?" if near is not None else listed,
        )

    @property
    def folds(self) -> int | None:
        """Folds of the cross-validation; None where each trial is validated on one split."""
        return None if self.data is None else self.data.folds

    @property
    def trainings(self) -> int:
        """Trainings of one trial: with folds one for each, and the one on all their rows."""
        return 1 if self.folds is None else self.folds + 1

    def digest(self) -> str:
        """SHA-256 of everything but the budget, which may change.

        The order of the objectives counts, since the first is the default for `best`; no other order does.
        """
        from satisfice.spec.study_file.render import to_dict  # render needs this module

        content = to_dict(self)
        content.pop("budget")
        content["objectives"] = list(content["objectives"].items())
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
