"""What else was close to the chosen trial: nearly as good and cheaper, or better but just outside a bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from satisfice.choose.best import describe_miss, optimizing
from satisfice.choose.bounds import Clause, merge_constraints, metric_value, number_text, trial_violations
from satisfice.choose.endings import joined
from satisfice.choose.trial_group import TrialGroup, averaged, candidates
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS, Known
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

_TIMED = 0.2  # a measured cost must be lower by this share to be worth a word: clocks are noisy
_EXACT = 0.05  # an exact one by this


@dataclass(frozen=True, kw_only=True)
class CloseCall:
    """A trial that was not chosen but nearly."""

    trial: TrialRecord
    kind: Literal["cheaper", "just misses"]
    sentence: str  # what it would give and what it would cost


def close_calls(
    records: Sequence[TrialRecord],
    chosen: TrialRecord,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    maximize: str | None = None,
    minimize: str | None = None,
    where: Sequence[Clause] = (),
    *,
    loss: float = 0.02,
    slack: float = 0.1,
    limit: int = 3,
) -> list[CloseCall]:
    """Trials worth a second look beside ``chosen``.

    Args:
        records: All trials of the study.
        chosen: What `best` answered to the same question.
        objectives: The study's.
        constraints: The study's.
        maximize: As for `best`.
        minimize: As for `best`.
        where: As for `best`.
        loss: Feasible trials may be worse on the optimizing metric by this share of the chosen one's value,
            if they are cheaper elsewhere.
        slack: Infeasible trials may miss their bounds by this share, if they are better.
        limit: At most so many of each kind.

    Returns:
        Cheaper ones by their loss, then near misses by their gain.
    """
    goal = optimizing(objectives, maximize, minimize)
    asked = merge_constraints(constraints, where)
    reached = metric_value(chosen, goal.metric)
    if reached is None or math.isnan(reached):
        return []
    fitting = candidates(records, asked)
    own = next((c for c in fitting if chosen.number in [m.number for m in c.members]), None)
    others = [c for c in fitting if c is not own]
    base = own or TrialGroup(trial=chosen, members=(chosen,))
    costs = _costs(objectives, asked, goal)
    near = [call for call in (_cheaper(c, base, goal, costs, loss) for c in others) if call is not None]
    missed = _just_missed(records, base, goal, asked, slack)
    return [call for _, call in sorted(near, key=_order)[:limit]] + missed[:limit]


def _order(item: tuple[float, CloseCall]) -> tuple[float, int]:
    return item[0], item[1].trial.number


def _costs(objectives: Sequence[Objective], asked: Sequence[Constraint], goal: Objective) -> list[Objective]:
    """What a person pays: the other objectives and what is bounded, each with its better direction."""
    costs = {o.metric: o for o in objectives if o.metric != goal.metric}
    for c in asked:
        if c.metric != goal.metric:
            costs.setdefault(
                c.metric, Objective(metric=c.metric, direction="minimize" if c.is_upper else "maximize")
            )
    return list(costs.values())


def _cheaper(
    other: TrialGroup, chosen: TrialGroup, goal: Objective, costs: Sequence[Objective], loss: float
) -> tuple[float, CloseCall] | None:
    value, reached = other.mean(goal.metric), chosen.mean(goal.metric)
    lost = goal.sign * (value - reached)
    if not math.isfinite(lost) or lost > loss * abs(reached):
        return None
    gains = []
    for cost in costs:
        mine, theirs = chosen.mean(cost.metric), other.mean(cost.metric)
        saved = cost.sign * (mine - theirs) / (abs(mine) or 1.0)
        known = METRICS.get(cost.metric)
        least = _TIMED if known is not None and known.known is Known.UNTRAINED else _EXACT
        if saved >= least:
            gains.append(f"{cost.metric} {number_text(theirs)} instead of {number_text(mine)}")
    if not gains:
        return None
    sentence = f"trial {other.trial.number} {_price(goal, value, lost)} {joined(gains)}"
    return lost, CloseCall(trial=other.trial, kind="cheaper", sentence=sentence)


def _price(goal: Objective, value: float, lost: float) -> str:
    """What a cheaper trial costs in the metric that is optimised."""
    if lost <= 0:
        return f"has {'the same' if lost == 0 else 'a better'} {goal.metric} ({number_text(value)}) with"
    if goal.direction == "maximize":
        return f"gives up {lost:.3g} of {goal.metric} ({number_text(value)}) for"
    return f"has {lost:.3g} more {goal.metric} ({number_text(value)}), but"


def _just_missed(
    records: Sequence[TrialRecord],
    chosen: TrialGroup,
    goal: Objective,
    asked: Sequence[Constraint],
    slack: float,
) -> list[CloseCall]:
    found = []
    for r in averaged(records, asked):
        value = metric_value(r, goal.metric)
        worst = max(trial_violations(r, asked).values(), default=0.0)
        if r.state != TrialState.COMPLETE or value is None or not 0 < worst <= slack:
            continue
        gain = goal.sign * (chosen.mean(goal.metric) - value)
        if gain > 0:
            sentence = (
                f"trial {r.number} reaches {goal.metric} {number_text(value)}, but {describe_miss(r, asked)}"
            )
            found.append((-gain, CloseCall(trial=r, kind="just misses", sentence=sentence)))
    return [call for _, call in sorted(found, key=_order)]
