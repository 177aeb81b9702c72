"""The pruner named ``auto`` for people with an Optuna study of their own.

With one objective it is passed like any of Optuna's pruners, and Optuna's own calls reach it:

study = optuna.create_study(pruner=SatisficePruner(max_steps=30))

With several objectives Optuna refuses ``trial.report`` and ``trial.should_prune``: there its own are called.

pruner = SatisficePruner(["accuracy", "latency_ms"], max_steps=30)

def objective(trial):
    for epoch in range(1, 31):
        ...
        pruner.report(trial, epoch, {"accuracy": accuracy, "latency_ms": latency})
        if pruner.should_prune(trial):
            raise optuna.TrialPruned
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial

from satisfice.errors import InputError
from satisfice.search.history import rungs
from satisfice.search.interop.history import (
    REPORT_KEY,
    CopyableLock,
    StudyReader,
    all_reports_of,
    reports_of,
    space_of,
)
from satisfice.search.protocol import Decision
from satisfice.search.pruners.auto import AutoPruner
from satisfice.threads import one_blas_thread


class SatisficePruner(BasePruner):
    """Stops trials whose optimistic finish is dominated. Its state is in the trials themselves.

    Any worker, after any restart, decides the same. It goes to ``optuna.create_study(pruner=...)``, or is
    called by hand: with several objectives Optuna refuses ``trial.report`` and ``trial.should_prune``, and
    the pruner's own `report` and `should_prune` take their place.

    Args:
        objectives: A name for each of the study's objectives, in its order; may be left out for one.
        max_steps: Steps of a full training.

    Raises:
        InputError: Two objectives have one name, or ``max_steps`` is no number of steps.
    """

    def __init__(self, objectives: Sequence[str] = ("objective",), *, max_steps: int) -> None:
        if isinstance(objectives, str):
            objectives = (objectives,)
        if isinstance(max_steps, bool) or not hasattr(max_steps, "__index__") or max_steps < 1:
            raise InputError(f"max_steps = {max_steps!r} is no number of steps", hint="a whole number from 1")
        self._objectives, self._max_steps = tuple(objectives), int(max_steps)
        if len(set(self._objectives)) < len(self._objectives):
            raise InputError(f"two objectives have one name: {', '.join(self._objectives)}")
        self._steps = frozenset(rungs(self._max_steps))
        self._lock = CopyableLock()
        self._reader: StudyReader | None = None
        self._pruner: AutoPruner | None = None
        self._made_for: tuple[object, ...] = ()

    def report(self, trial: optuna.Trial, step: int, metrics: Mapping[str, float]) -> None:
        """Report metrics after ``step`` steps (1-based). Only steps at which trials are judged are stored.

        Raises:
            InputError: An objective is missing or no number.
        """
        missing = [name for name in self._objectives if name not in metrics]
        if missing:
            raise InputError(f"the report at step {step} lacks {', '.join(missing)}")
        try:
            values = {name: float(metrics[name]) for name in self._objectives}
        except (TypeError, ValueError):
            raise InputError(f"the report at step {step} holds what is no number: {metrics!r}") from None
        if step in self._steps:
            trial.set_user_attr(f"{REPORT_KEY}{int(step)}", values)

    def should_prune(self, trial: optuna.Trial) -> bool:
        """Whether the trial should stop."""
        return self.decide(trial).stop

    def decide(self, trial: optuna.Trial) -> Decision:
        """The same, with the reason."""
        return self._decide(trial.study, trial.number, reports_of(trial.user_attrs))

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """What Optuna asks on ``trial.should_prune()``, after ``trial.report(value, step)``.

        Trials are judged at some steps only: after 1, 2, 4, 6, 9, 14, ... of them.
        """
        if trial.last_step is None or trial.last_step not in self._steps:
            return False
        reports = all_reports_of(trial, self._objectives[0])
        return self._decide(study, trial.number, reports).stop

    def _decide(
        self, study: optuna.Study, number: int, reports: Mapping[int, Mapping[str, float]]
    ) -> Decision:
        latest = reports[max(reports)] if reports else {}
        endless = [name for name, value in latest.items() if math.isinf(value)]
        if endless:
            return Decision(stop=True, reason=f"diverged: {', '.join(endless)} is infinite")
        trials = study._get_trials(deepcopy=False, use_cache=False)  # noqa: SLF001  # as Optuna's pruners do
        with self._lock, one_blas_thread():
            reader, pruner = self._prepared(study, trials)
            return pruner.decide(reader.read(trials), number)

    def _prepared(
        self, study: optuna.Study, trials: Sequence[optuna.trial.FrozenTrial]
    ) -> tuple[StudyReader, AutoPruner]:
        if len(self._objectives) != len(study.directions):
            raise InputError(
                f"the study has {len(study.directions)} objectives, the pruner {len(self._objectives)}"
            )
        space = space_of(trials)
        keys = sorted({key for t in trials if t.state.is_finished() for key in t.constraints})
        # Ids and names are given again, in other storages or after a study was deleted.
        made_for = (study.study_name, trials[0].datetime_start, tuple(space.items()), tuple(keys))
        if self._reader is None or self._pruner is None or made_for != self._made_for:
            self._reader = StudyReader(
                study.directions, space, keys, metrics=self._objectives, max_steps=self._max_steps
            )
            self._pruner = AutoPruner(self._reader.problem)
            self._made_for = made_for
        return self._reader, self._pruner
