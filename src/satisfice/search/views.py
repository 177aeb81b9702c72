"""Several searches over the trials of one study: the study and each profile take turns to propose.

Each view reads all trials, but applies its own objectives and constraints, sampler and pruner. A trial is
stopped only if no view can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from satisfice.errors import NoFeasibleProposal
from satisfice.search.history import History
from satisfice.search.protocol import Decision, Proposal, Pruner, Sampler, Screen, SearchProblem
from satisfice.spec.constraint import verdict
from satisfice.spec.trial import TrialRecord


class View:
    """The search as the study, or one of its profiles, sees it.

    Args:
        problem: Its objectives and constraints.
        sampler: Proposes its configurations.
        pruner: Decides which running trials it cannot use.
        profile: The name of the profile, or None for the study itself.

    Attributes:
        history: All trials. Whether they are feasible follows from this view's constraints.
    """

    def __init__(
        self, problem: SearchProblem, sampler: Sampler, pruner: Pruner, profile: str | None = None
    ) -> None:
        self.problem, self.sampler, self.pruner, self.profile = problem, sampler, pruner, profile
        self.history = History(problem)

    def update(self, records: Iterable[TrialRecord]) -> None:
        """Add new trials to the history and update changed ones."""
        own = records if self.profile is None else (self._judged(record) for record in records)
        self.history.update(own)

    def _judged(self, record: TrialRecord) -> TrialRecord:
        fits = None if record.pending else verdict(self.problem.constraints, record.metrics)[1]
        return replace(record, feasible=fits)

    def decide(self, number: int) -> Decision:
        """Whether a running trial should stop as far as this view is concerned."""
        if self.history.feasible[number] == 0:
            return Decision(stop=True, reason="it does not fit")
        return self.pruner.decide(self.history, number)


@dataclass
class _Rest:
    """Back-off of a view whose proposals fail: the number of turns to skip doubles with each failure."""

    turns: int = 0
    failures: int = 0


class Views:
    """The views of one study, which take turns to propose.

    Args:
        views: At least one. The first is the view of the study itself.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self._views = list(views)
        self._rests = [_Rest() for _ in views]

    def __iter__(self) -> Iterator[View]:
        """Iterate over the views in the order of their turns."""
        return iter(self._views)

    @property
    def own(self) -> View:
        """The view of the study itself."""
        return self._views[0]

    def propose(self, turn: int, screen_for: Callable[[View], Screen], seed: int) -> Proposal:
        """Propose the next configuration.

        The view whose turn it is proposes. If it finds nothing, the next view tries.

        Args:
            turn: The number of the turn. With k views, each has every k-th turn.
            screen_for: Returns the screen of a view.
            seed: Seed of the generator for this proposal.

        Returns:
            A proposal that passed the screen. ``why["profile"]`` names the profile that made it, if any.

        Raises:
            NoFeasibleProposal: No view found one that fits. The error of the study's view is raised.
        """
        if len(self._views) == 1:
            return self.own.sampler.propose(
                self.own.history, screen_for(self.own), np.random.default_rng(seed)
            )
        lost: dict[int, NoFeasibleProposal] = {}
        for attempt, i in enumerate(self._order(turn)):
            view, rest = self._views[i], self._rests[i]
            rng = np.random.default_rng([seed, attempt])
            try:
                found = view.sampler.propose(view.history, screen_for(view), rng)
            except NoFeasibleProposal as error:
                lost[i] = error
                rest.failures += 1
                rest.turns = 2**rest.failures - 1
                continue
            rest.failures = 0
            return (
                found if view.profile is None else replace(found, why={**found.why, "profile": view.profile})
            )
        raise lost[0]

    def _order(self, turn: int) -> list[int]:
        """Indices of the views to try: the view whose turn it is, those after it, then those in back-off."""
        count = len(self._views)
        order = [(turn + k) % count for k in range(count)]
        first = self._rests[order[0]]
        resting = [i for i in order if self._rests[i].turns > 0]
        if first.turns > 0:
            first.turns -= 1
        return [*(i for i in order if i not in resting), *resting]

    def decide(self, number: int) -> Decision:
        """Stop a running trial only if no view can use it. The reason is that of the study's view."""
        decision = self.own.pruner.decide(self.own.history, number)
        others = self._views[1:]
        if not decision.stop or not others:
            return decision
        for view in others:
            if not view.decide(number).stop:
                return Decision(stop=False, reason=f"profile {view.profile} may still use it")
        return replace(decision, reason=f"{decision.reason}; no profile can use it")
