"""Trials as optuna-dashboard should see them, each read from the database once.

Optuna's cached storage keeps what is finished. Its trials never change, but for two things that are looked
for here: a change of the study's bounds writes other verdicts, and a study that was deleted may have left its
ids to another one.
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from satisfice.choose import (
    constraints_from_optuna,
    describe_miss,
    objectives_from_optuna,
    records_from_trials,
)
from satisfice.report.context import fits
from satisfice.results.followed import Curve
from satisfice.spec.constraint import Constraint
from satisfice.spec.trial import TrialRecord

_OLD_KEY = "constraints"  # what the dashboard reads: a list of violations
_moments = itertools.count(1)  # of all studies: an id may come to mean another one


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The trials of a study at a moment."""

    generation: int  # another one where any trial is another
    judged: int  # another one where any finished trial is another, or their number
    trials: Sequence[FrozenTrial]  # by number


@dataclass(frozen=True)
class _One:
    raw: FrozenTrial
    curve: Curve | None
    shown: FrozenTrial


@dataclass
class _Known:
    storage: BaseStorage  # remembers finished trials
    by_id: dict[int, _One] = field(default_factory=dict)
    shown: Shown = Shown(generation=0, judged=0, trials=())
    lock: threading.Lock = field(default_factory=threading.Lock)


class Trials:
    """The trials of each study, as fresh as the database, at the cost of what is new.

    Args:
        storage: Any Optuna storage.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self._known: dict[int, _Known] = {}
        self._lock = threading.Lock()

    def of(self, study_id: int, curves: Mapping[int, Curve]) -> Shown:
        """The study's trials.

        Args:
            study_id: Optuna's id.
            curves: By number, for trials whose own rows have none.

        Raises:
            KeyError: There is no such study.
        """
        with self._lock:
            known = self._known.setdefault(study_id, _Known(self._remembering()))
        with known.lock:
            try:
                trials = self._read(known, study_id)
            except KeyError:
                with self._lock:
                    self._known.pop(study_id, None)
                raise
            return self._take(known, trials, curves)

    def _remembering(self) -> BaseStorage:
        return optuna.storages.get_storage(self._storage)

    def _read(self, known: _Known, study_id: int) -> list[FrozenTrial]:
        self._storage.get_study_name_from_id(study_id)  # a cache does not notice that it is gone
        if isinstance(self._storage, RDBStorage) and not self._holds(known):
            known.storage = self._remembering()
        return known.storage.get_all_trials(study_id, deepcopy=False)

    def _holds(self, known: _Known) -> bool:
        """Whether what is remembered is still so: one judged trial stands for all, which change together."""
        finished = [one.raw for one in known.by_id.values() if one.raw.state.is_finished()]
        if not finished:
            return not known.by_id
        probe = next((t for t in reversed(finished) if t.constraints), finished[-1])
        try:
            stored = self._storage.get_trial(probe._trial_id)  # noqa: SLF001  # no public name
        except KeyError:
            return False
        same = stored.number == probe.number and stored.datetime_start == probe.datetime_start
        return same and stored.constraints == probe.constraints

    def _take(self, known: _Known, trials: list[FrozenTrial], curves: Mapping[int, Curve]) -> Shown:
        before, changed, judged = known.by_id, len(trials) != len(known.by_id), False
        known.by_id = {}
        for trial in trials:
            trial_id: int = trial._trial_id  # noqa: SLF001  # no public name
            one, curve, done = before.get(trial_id), curves.get(trial.number), trial.state.is_finished()
            same = one is not None and (one.raw is trial if done else one.raw == trial)
            if one is None or not same or one.curve is not curve:
                # Some storages change a running trial in place.
                one = _One(trial if done else copy.deepcopy(trial), curve, as_shown(trial, curve))
                changed = True
                judged |= done
            known.by_id[trial_id] = one
        if changed:
            last = known.shown
            fewer = len(trials) < len(last.trials)
            known.shown = Shown(
                generation=next(_moments),
                judged=next(_moments) if judged or fewer else last.judged,
                trials=[one.shown for one in known.by_id.values()],
            )
        return known.shown


def as_shown(trial: FrozenTrial, curve: Curve | None = None) -> FrozenTrial:
    """A trial with its constraints as the dashboard reads them, what they mean in words, and its curve."""
    one = copy.copy(trial)
    constraints = trial.constraints
    if constraints and _OLD_KEY not in trial.system_attrs:
        one.system_attrs = {**trial.system_attrs, _OLD_KEY: list(constraints.values())}
    if constraints:
        one.user_attrs = {**_told(trial), **trial.user_attrs}
    if curve and not trial.intermediate_values:
        one.intermediate_values = dict(curve)
    return one


def _told(trial: FrozenTrial) -> dict[str, Any]:
    """Whether the trial fits, and the values behind its constraints: the trial pages say neither."""
    unnamed = objectives_from_optuna([StudyDirection.MINIMIZE] * len(trial.values or [0]), None)
    record = records_from_trials([trial], unnamed)[0]
    constraints = constraints_from_optuna([trial], unnamed)
    values = {c.metric: record.metrics[c.metric] for c in constraints if c.metric in record.metrics}
    return {"fits": _fits(record, constraints), **values}


def _fits(record: TrialRecord, constraints: Sequence[Constraint]) -> str:
    verdict, missed = fits(record, constraints), describe_miss(record, constraints)
    if verdict is not None:
        return "yes" if verdict else f"no: {missed}"
    ended = {"PRUNED": "stopped early", "FAIL": "failed", "RUNNING": "still running"}.get(record.state.name)
    return f"not known ({'; '.join(part for part in (ended, missed) if part) or 'no verdict yet'})"
