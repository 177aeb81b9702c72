"""The chosen trial with what is to be known of the choice: ties, the rule, the score to expect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from satisfice.choose.best import Order, asked_of, fitting_by
from satisfice.choose.bounds import Clause
from satisfice.choose.criteria import first_by
from satisfice.choose.noise.difference import Noise
from satisfice.choose.noise.expected import Expected, expected_score, with_known_noise
from satisfice.choose.noise.rules import as_choice, costs_of, one_standard_error
from satisfice.choose.noise.tied import may_be_tied, tied_with
from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Criterion
from satisfice.spec.influences import ReadInfluences
from satisfice.spec.study import Objective, Rule
from satisfice.spec.trial import TrialRecord


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class BestTrial(TrialRecord):
    """A chosen trial; equal to the `TrialRecord` that it is."""

    objective: Objective  # that it was chosen by, first
    rule: Rule = "value"
    # numbers of the trials that stand for configurations which cannot be told from it on the objective
    tied: tuple[int, ...] = ()
    cheapest_tied: tuple[int, str, float] | None = None  # of them and itself: number, metric, value
    expected: Expected | None = None  # on new data; None where the noise of its score is not known

    @property
    def record(self) -> TrialRecord:
        """The trial alone."""
        return TrialRecord(**{f.name: getattr(self, f.name) for f in fields(TrialRecord)})

    def __eq__(self, other: object) -> bool:
        """Whether the other is the same trial, chosen or not."""
        mine = other.record if isinstance(other, BestTrial) else other
        return self.record == mine if isinstance(mine, TrialRecord) else NotImplemented

    __hash__ = TrialRecord.__hash__


def chosen(
    records: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    maximize: str | None = None,
    minimize: str | None = None,
    where: Clause | Sequence[Clause] = (),
    order: Order = (),
    *,
    rule: Rule = "value",
    influences: ReadInfluences | None = None,
    seed: int = 0,
) -> BestTrial:
    """The trial to ship, and what else could be it.

    Args:
        records: All trials of the study.
        objectives: The study's; the first is the default metric.
        constraints: The study's.
        maximize: As for `best.best`, like the next three.
        minimize: Metric to minimise.
        where: Further bounds.
        order: Criteria in order.
        rule: ``"value"``, or ``"one-standard-error"``: see `noise.rules.one_standard_error`.
        influences: Reads the influence values of trials by number; None: there are none.
        seed: Of the draws behind the expected score.

    Raises:
        NoFeasibleTrial: No finished trial fits; carries the nearest miss.
        InputError: As for `best.best`.
    """
    asked, criteria = asked_of(objectives, constraints, maximize, minimize, where, order)
    groups = fitting_by(records, objectives, constraints, asked, criteria)
    goal = criteria[0].objective
    costs = costs_of(goal, objectives, asked, groups)
    top = first_by(groups, criteria)
    noise = Noise()
    rivals = _rivals(top, groups, criteria[0], noise)
    noise = _with_influences(noise, rivals, influences)
    taken = top if rule == "value" else one_standard_error(rivals, criteria, costs, noise)
    if taken is not top:
        noise = _with_influences(noise, _rivals(taken, groups, criteria[0], Noise()), influences)
    tied = tied_with(taken, groups, goal.metric, noise)
    scored = with_known_noise(rivals, goal.metric, noise)
    choice = None
    if rule != "value" or criteria[0].tolerance:
        choice = as_choice(scored, criteria, costs, noise, rule)
    return BestTrial(
        **{f.name: getattr(taken.trial, f.name) for f in fields(TrialRecord)},
        objective=goal,
        rule=rule,
        tied=tuple(sorted(g.trial.number for g in tied)),
        cheapest_tied=_cheapest([taken, *tied], costs),
        expected=expected_score(taken, scored, goal, noise, choice=choice, seed=seed),
    )


def _rivals(
    one: TrialGroup, groups: Sequence[TrialGroup], first: Criterion, noise: Noise
) -> list[TrialGroup]:
    """The group with those that noise, or the tolerance of the question, may put in its place."""
    near = {g.trial.number for g in may_be_tied(one, groups, first.objective.metric, noise)}
    least = min(first.loss(g) for g in groups)
    return [g for g in groups if g is one or g.trial.number in near or first.as_good(first.loss(g), least)]


def _with_influences(noise: Noise, groups: Sequence[TrialGroup], read: ReadInfluences | None) -> Noise:
    if read is None:
        return noise
    lacking = {m.number for g in groups for m in g.members} - noise.influences.keys()
    return replace(noise, influences={**noise.influences, **read(lacking)}) if lacking else noise


def _cheapest(groups: Sequence[TrialGroup], costs: Sequence[Objective]) -> tuple[int, str, float] | None:
    """The cheapest by the first cost that all of them have."""
    for cost in costs:
        values = [g.mean(cost.metric) for g in groups]
        if any(map(math.isnan, values)):
            continue
        at = min(range(len(groups)), key=lambda i: (cost.sign * values[i], groups[i].trial.number))
        return groups[at].trial.number, cost.metric, values[at]
    return None
