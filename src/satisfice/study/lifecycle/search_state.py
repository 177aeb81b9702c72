"""What a worker has learnt of a study by one version of its spec: histories, samplers and pruners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from satisfice.choose import Asked, asked, asked_by_each, common_bounds
from satisfice.search import PRUNERS, SAMPLERS, Decision, History, Proposal, Screen, SearchProblem
from satisfice.search.views import View, Views
from satisfice.spec.metric import convert
from satisfice.spec.standard_error import split
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.ledger.study_rows import StepReport
from satisfice.store.reader import Changes
from satisfice.study.lifecycle.screening import StudyScreen
from satisfice.threads import one_blas_thread


class SearchState:
    """What is learnt of all trials, for the study's own question and for each profile.

    Whoever uses it holds the session's turn.

    Args:
        spec: The study.

    Attributes:
        max_steps: Epochs that the budget allows a trial; with folds, how many there are.
        revision: The study's, up to which everything is in the history; -1: nothing yet.
    """

    def __init__(self, spec: StudySpec) -> None:
        self._views = Views([_view(spec, each) for each in (asked(spec), *_in_turns(spec))])
        self._names = spec.metric_names
        self.max_steps = spec.folds or spec.budget.epochs
        self.revision = -1

    @property
    def history(self) -> History:
        """Of all trials, by whichever worker, as of ``revision``; feasible by the study's constraints."""
        return self._views.own.history

    def _update(self, records: Iterable[TrialRecord], reports: Iterable[tuple[int, int, Any]]) -> None:
        records, reports = list(records), list(reports)
        for view in self._views:
            view.update(records)
            for number, step, told in reports:
                view.history.report(number, step, split(told, self._names)[0])

    def read(self, changes: Changes) -> None:
        """Take in what was read."""
        self._update(changes.records, changes.reports)
        self.revision = changes.revision

    def wrote(
        self,
        revision: int,
        record: TrialRecord | None = None,
        reports: Sequence[StepReport] = (),
        *,
        of: int = 0,
    ) -> None:
        """Take in what this worker wrote itself, if nobody else wrote since the last look; else it is read.

        Args:
            revision: The study's, by that write.
            record: As it would be read.
            reports: Reports of a trial that were stored.
            of: The trial's number.
        """
        if revision != self.revision + 1:
            return
        records = [record] if record is not None else []
        self._update(records, [(of, step, metrics) for step, metrics in reports])
        self.revision = revision

    def propose(self, screen: StudyScreen, seed: int, turn: int = 0) -> Proposal:
        """The next proposal that fits, by the sampler whose turn it is.

        Args:
            screen: The exact check.
            seed: Of the proposal.
            turn: The slot: the study's own question and those of its profiles have equal shares.

        Raises:
            NoFeasibleProposal: None was found.
        """

        def screen_for(view: View) -> Screen:
            return screen if view.profile is None else screen.within(view.problem.constraints)

        # Surrogates factor small matrices: several threads only get in each other's way.
        with one_blas_thread():
            return self._views.propose(turn, screen_for, seed)

    def is_decision_step(self, step: int) -> bool:
        """Whether the pruner judges trials at this step."""
        return self._views.own.pruner.is_decision_step(step, self.max_steps)

    def decide(self, number: int) -> Decision:
        """What the pruner says of a running trial."""
        with one_blas_thread():
            return self._views.decide(number)


def _in_turns(spec: StudySpec) -> list[Asked]:
    """The questions of the profiles; the order in which a file lists them changes nothing."""
    return sorted(asked_by_each(spec), key=lambda each: each.profile or "")


def _view(spec: StudySpec, question: Asked) -> View:
    wanted = tuple(criterion.objective for criterion in question.order)
    problem = SearchProblem(
        space=spec.space,
        objectives=wanted or spec.objectives,
        constraints=question.constraints,
        screened=common_bounds(spec.profiles) if question.profile is None else (),
        max_steps=spec.folds or spec.budget.epochs,
        folds=spec.folds,
        n_trials=spec.budget.trials,
        seed=spec.seed,
    )
    sampler, pruner = SAMPLERS.get(spec.search.sampler), PRUNERS.get(spec.search.pruner)
    return View(problem, sampler(problem), pruner(problem), question.profile)


def as_read(metrics: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """Metrics as the reader would give them after they were stored, with those of ``names`` by conversion."""
    named = list(names)
    return convert({name: float(value) for name, value in split(metrics, named)[0].items()}, named)
