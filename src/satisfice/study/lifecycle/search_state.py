"""What a worker has learnt of a study by one version of its spec: history, sampler and pruner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from satisfice.search import PRUNERS, SAMPLERS, Decision, History, Proposal, SearchProblem
from satisfice.spec.metric import convert
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.ledger.study_rows import StepReport
from satisfice.store.reader import Changes
from satisfice.study.lifecycle.screening import StudyScreen
from satisfice.threads import one_blas_thread


class SearchState:
    """History, sampler and pruner; whoever uses it holds the session's turn.

    Args:
        spec: The study.

    Attributes:
        history: Of all trials, by whichever worker, as of ``revision``.
        max_steps: Epochs that the budget allows a trial.
        revision: The study's, up to which everything is in the history; -1: nothing yet.
    """

    def __init__(self, spec: StudySpec) -> None:
        problem = SearchProblem(
            space=spec.space,
            objectives=spec.objectives,
            constraints=spec.constraints,
            max_steps=spec.budget.epochs,
            n_trials=spec.budget.trials,
            seed=spec.seed,
        )
        self.history = History(problem)
        self.max_steps = spec.budget.epochs
        self.revision = -1
        self._sampler = SAMPLERS.get(spec.search.sampler)(problem)
        self._pruner = PRUNERS.get(spec.search.pruner)(problem)

    def read(self, changes: Changes) -> None:
        """Take in what was read."""
        self.history.update(changes.records)
        for number, step, metrics in changes.reports:
            self.history.report(number, step, metrics)
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
        self.history.update([record] if record is not None else [])
        for step, metrics in reports:
            self.history.report(of, step, metrics)
        self.revision = revision

    def propose(self, screen: StudyScreen, seed: int) -> Proposal:
        """The sampler's next proposal that fits.

        Raises:
            NoFeasibleProposal: None was found.
        """
        # Surrogates factor small matrices: several threads only get in each other's way.
        with one_blas_thread():
            return self._sampler.propose(self.history, screen, np.random.default_rng(seed))

    def is_decision_step(self, step: int) -> bool:
        """Whether the pruner judges trials at this step."""
        return self._pruner.is_decision_step(step, self.max_steps)

    def decide(self, number: int) -> Decision:
        """What the pruner says of a running trial."""
        with one_blas_thread():
            return self._pruner.decide(self.history, number)


def as_read(metrics: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """Metrics as the reader would give them after they were stored, with those of ``names`` by conversion."""
    return convert({name: float(value) for name, value in metrics.items()}, names)
