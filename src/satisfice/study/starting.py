"""How a study starts: what options say beside its file, and from which configurations."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution

from satisfice.choose import pareto_front
from satisfice.choose.bounds import metric_value, trial_violations
from satisfice.errors import InputError
from satisfice.spec import to_dict
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.read import plain
from satisfice.spec.task import HasDefaults
from satisfice.spec.trial import TrialRecord, TrialState

Entry = tuple[Mapping[str, Any], str, int | None]  # parameters, source, number of the trial that it repeats

DEFAULT_TOP = 5


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person says beside the study file."""

    budget: Mapping[str, Any] = field(default_factory=dict)  # keys of [budget]; None lifts a limit
    name: str | None = None  # instead of the file's
    start_from: str | None = None  # a stored study whose best trials come first
    top: int = DEFAULT_TOP  # how many of them
    new: bool = False  # whether a stored study of that name is refused

    def apply(
        self, spec: str | Path | Mapping[str, Any] | StudySpec, checked: StudySpec
    ) -> dict[str, Any] | None:
        """The study file's content with what is wanted instead; None where nothing is.

        Raises:
            InputError: The new study would have the name of the one that it starts from.
        """
        name = self.name or checked.name
        if self.start_from is not None and name == self.start_from:
            raise InputError(
                f"the new study and the one that it starts from are both named {name!r}",
                hint=f"give it another name, for instance {name}-2",
            )
        if not self.budget and self.name is None:
            return None
        content = content_of(spec)
        whole = dict(to_dict(checked) if content is None else content)
        whole["name"] = name
        budget = {**whole["budget"], **self.budget}
        whole["budget"] = {key: value for key, value in budget.items() if value is not None}
        return whole


def content_of(spec: str | Path | Mapping[str, Any] | StudySpec) -> Mapping[str, Any] | None:
    """A study file's content as it is written; None of a spec, which leaves nothing out."""
    if isinstance(spec, StudySpec):
        return None
    if isinstance(spec, Mapping):
        return dict(plain(spec))
    return tomllib.loads(Path(spec).read_bytes().decode("utf-8-sig"))


def first_entries(spec: StudySpec, task: object, best: Sequence[Mapping[str, Any]] = ()) -> list[Entry]:
    """What a study tries first: the default, the best of another study, and `[search] start`.

    Args:
        spec: The study.
        task: Its task.
        best: Configurations of another study.
    """
    defaults = spec.space.complete(task.defaults(), task.defaults()) if isinstance(task, HasDefaults) else {}
    entries: list[Entry] = [(defaults, "default", None)] if defaults else []
    known = [dict(defaults)]
    for params in best:
        moved = spec.space.complete(_kept(params, spec.space), defaults)
        if moved not in known:
            known.append(moved)
            entries.append((moved, "earlier", None))
    return entries + [(spec.space.complete(start, defaults), "start", None) for start in spec.search.start]


def _kept(params: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """The parameters that a space has too, as far as it can be said which of its values is the nearest."""
    return {
        name: value
        for name, value in params.items()
        if name in space.by_name and _is_near(space.by_name[name], value)
    }


def _is_near(parameter: Parameter, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(parameter.distribution, CategoricalDistribution):
        return parameter.contains(value)
    return number


def best_of(records: Sequence[TrialRecord], spec: StudySpec, top: int) -> list[Mapping[str, Any]]:
    """Parameters of a study's best finished trials: its front, then what fits, then what misses by least.

    Args:
        records: All trials.
        spec: The study.
        top: At most so many.
    """
    first = spec.objectives[0]
    front = {r.number for r in pareto_front(records, spec.objectives, spec.constraints)}

    def rank(record: TrialRecord) -> tuple[float, bool, float, int]:
        missed = max(trial_violations(record, spec.constraints).values(), default=0.0)
        value = metric_value(record, first.metric)
        score = math.inf if value is None or math.isnan(value) else first.sign * value
        return max(missed, 0.0), record.number not in front, score, record.number

    finished = [
        r for r in records if r.state == TrialState.COMPLETE and not r.pending and r.replicate_of is None
    ]
    return [r.params for r in sorted(finished, key=rank)[:top]]
