"""The study of an ablation: which configurations it trains, and how its spec follows from its parent's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from satisfice.errors import InputError
from satisfice.spec import to_dict
from satisfice.spec.metric import METRICS
from satisfice.spec.study import StudySpec
from satisfice.spec.task import HasDefaults, Task
from satisfice.spec.trial import TrialRecord
from satisfice.study.after.ablation.techniques import OF_TABLES, Technique, defaults_back, techniques_of
from satisfice.train import TRAINERS

WINNER, DEFAULT = "winner", "default"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One configuration of the ablation."""

    role: str  # "winner", "default", "without NAME", "default with NAME"
    params: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained, and what is compared."""

    winner: Configuration
    default: Configuration | None  # None where it equals the winner
    without: Mapping[str, tuple[Technique, Configuration]]  # by the technique's name
    towards: Mapping[str, tuple[Technique, Configuration]] = field(default_factory=dict)
    space: Mapping[str, Sequence[Any]]  # parameter -> its values
    fixed: Mapping[str, Any]  # the same in all configurations

    @property
    def configurations(self) -> list[Configuration]:
        """All of them; the default first, as every study tries it first."""
        parts = [self.winner, *(each for _, each in (*self.without.values(), *self.towards.values()))]
        return ([] if self.default is None else [self.default]) + parts


def plan(spec: StudySpec, task: Task, record: TrialRecord, *, towards: bool) -> Plan:
    """The ablation of a trial.

    Args:
        spec: The study.
        task: Its task.
        record: The trial.
        towards: Whether each change is also tried alone on the default configuration.

    Raises:
        InputError: There is nothing to take away.
    """
    winner, defaults, found = _found(spec, task, record)
    if not found:
        raise InputError(
            f"trial {record.number} of study {spec.name!r} uses nothing that could be switched off",
            hint="it is the default configuration already; choose another by --trial",
        )
    default = {**winner, **{name: value for name, value in defaults.items() if name in winner}}
    changed = {name for each in found for name in each.changes}
    changed |= {name for name in winner if default[name] != winner[name]}
    values: dict[str, list[Any]] = {name: [] for name in winner if name in changed}
    for each in (default, winner, *(t.changes for t in found)):
        for name in values.keys() & each.keys():
            if not any(_same(each[name], known) for known in values[name]):
                values[name].append(each[name])
    space = {name: choices for name, choices in values.items() if len(choices) > 1}
    fixed = {name: value for name, value in winner.items() if name not in space}

    def configuration(role: str, params: Mapping[str, Any]) -> Configuration:
        return Configuration(role=role, params={name: params[name] for name in space})

    without = {t.name: (t, configuration(f"without {t.name}", {**winner, **t.changes})) for t in found}
    alone = {}
    if towards:
        for name in (n for n in space if not _same(default[n], winner[n])):
            said = Technique(name=name, changes={name: default[name]}, said=name)
            alone[name] = (said, configuration(f"default with {name}", {**default, name: winner[name]}))
    same = all(_same(default[name], winner[name]) for name in space)
    return Plan(
        winner=configuration(WINNER, winner),
        default=None if same else configuration(DEFAULT, default),
        without=without,
        towards=alone,
        space=space,
        fixed=fixed,
    )


def _found(
    spec: StudySpec, task: Task, record: TrialRecord
) -> tuple[dict[str, Any], dict[str, Any], list[Technique]]:
    """The whole configuration, the default one, and what can be taken away."""
    defaults = dict(task.defaults()) if isinstance(task, HasDefaults) else {}
    if spec.model is None:
        if not defaults:
            raise InputError(
                f"study {spec.name!r} trains code of its own, which names no defaults to go back to",
                hint="give the task a method defaults() that returns a dict of hyperparameter values",
            )
        winner = dict(record.params)
        return winner, defaults, defaults_back(winner, defaults)
    splits = getattr(task, "splits", None)
    images = splits is not None and splits.kind == "image"
    all_known = TRAINERS.get(spec.model.family).hyperparameters
    known = {name: about for name, about in all_known.items() if not (images and name in OF_TABLES)}
    of_family = {name: about.default for name, about in known.items()}
    winner = of_family | dict(spec.model.fixed) | dict(record.params)
    winner = {name: known[name].typed(v) if not isinstance(v, str) else v for name, v in winner.items()}
    # The default configuration of the study: what is fixed stays, and the searched ones start in the space.
    default = winner | {name: of_family[name] for name in spec.space.names if name in of_family}
    return winner, default, techniques_of(winner, known)


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


def spec_content(
    spec: StudySpec, made: Plan, *, name: str, trials: int, timeout_s: float | None
) -> dict[str, Any]:
    """The content of the ablation's study file.

    Every metric of the parent is measured: those of its bounds become objectives, and nothing is turned away
    or stopped.

    Args:
        spec: The parent.
        made: What is trained.
        name: Of the new study.
        trials: Trainings in all.
        timeout_s: Begin none after so long.
    """
    parent = to_dict(spec)
    objectives = dict(parent["objectives"])
    seen = {METRICS[m].quantity if m in METRICS else m for m in objectives}
    for c in spec.constraints:
        quantity = METRICS[c.metric].quantity if c.metric in METRICS else c.metric
        if quantity not in seen:
            seen.add(quantity)
            objectives[c.metric] = "minimize" if c.is_upper else "maximize"
    content: dict[str, Any] = {
        key: parent[key] for key in ("seed", "data", "task", "measure", "ship") if key in parent
    }
    content |= {
        "name": name,
        "objectives": objectives,
        "space": {key: list(values) for key, values in made.space.items()},
        "search": {"sampler": "random", "pruner": "none"},
        "budget": {"trials": trials},
    }
    if spec.model is not None:
        content["model"] = {"family": spec.model.family, **_written(spec, made)}
    if spec.budget.epochs is not None:
        content["budget"]["epochs"] = spec.budget.epochs
    if timeout_s is not None:
        content["budget"]["timeout"] = timeout_s
    return content


def _written(spec: StudySpec, made: Plan) -> dict[str, Any]:
    """What `[model]` fixes: all that differs from the family's default."""
    assert spec.model is not None
    known = TRAINERS.get(spec.model.family).hyperparameters
    other = {name: value for name, value in spec.model.fixed.items() if name not in known}
    return other | {
        name: value for name, value in made.fixed.items() if name in known and value != known[name].default
    }
