"""One search for several questions: the study's own and those of its profiles take turns at proposing.

Every view sees all trials. It has its own idea of which are feasible and what is better, and so its own
sampler and pruner. A trial is stopped only if no view can use it.
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
    """One question, and what was learnt of it.

    Args:
        problem: What it optimises, under which constraints.
        sampler: Makes its proposals.
        pruner: Says which trials cannot matter to it.
        profile: Its name; None: the study's own question.

    Attributes:
        history: All trials, feasible by its own constraints.
    """

    def __init__(
        self, problem: SearchProblem, sampler: Sampler, pruner: Pruner, profile: str | None = None
    ) -> None:
        self.problem, self.sampler, self.pruner, self.profile = problem, sampler, pruner, profile
        self.history = History(problem)

    def update(self, records: Iterable[TrialRecord]) -> None:
        """Take in trials that are new or have changed."""
        own = records if self.profile is None else (self._judged(record) for record in records)
        self.history.update(own)

    def _judged(self, record: TrialRecord) -> TrialRecord:
        fits = None if record.pending else verdict(self.problem.constraints, record.metrics)[1]
        return replace(record, feasible=fits)

    def decide(self, number: int) -> Decision:
        """Whether a running trial should stop, as far as this view goes."""
        if self.history.feasible[number] == 0:
            return Decision(stop=True, reason="it does not fit")
        return self.pruner.decide(self.history, number)


@dataclass
class _Rest:
    """How long a view whose turns found nothing is passed over: each time twice as long."""

    turns: int = 0
    failures: int = 0


class Views:
    """The views of one study, in turns.

    Args:
        views: The study's own first; at least that one.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self._views = list(views)
        self._rests = [_Rest() for _ in views]

    def __iter__(self) -> Iterator[View]:
        """In the order of their turns."""
        return iter(self._views)

    @property
    def own(self) -> View:
        """The study's own."""
        return self._views[0]

    def propose(self, turn: int, screen_for: Callable[[View], Screen], seed: int) -> Proposal:
        """The next configuration, by the view whose turn it is; by the next one where that finds nothing.

        Args:
            turn: A count: each view has one in as many as there are views.
            screen_for: Gives the screen of a view.
            seed: Of the proposal.

        Raises:
            NoFeasibleProposal: No view found one that fits; as the study's own tells it.
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
        """The view whose turn it is, then those after it; last the ones that found nothing lately."""
        count = len(self._views)
        order = [(turn + k) % count for k in range(count)]
        first = self._rests[order[0]]
        resting = [i for i in order if self._rests[i].turns > 0]
        if first.turns > 0:
            first.turns -= 1
        return [*(i for i in order if i not in resting), *resting]

    def decide(self, number: int) -> Decision:
        """Whether a running trial should stop: if no view can use it, for the reason of the study's own."""
        decision = self.own.pruner.decide(self.own.history, number)
        others = self._views[1:]
        if not decision.stop or not others:
            return decision
        for view in others:
            if not view.decide(number).stop:
                return Decision(stop=False, reason=f"profile {view.profile} may still use it")
        return replace(decision, reason=f"{decision.reason}; no profile can use it")
