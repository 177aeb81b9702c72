"""The answers in sentences, without full stops."""

from __future__ import annotations

from satisfice.choose.best import describe_miss
from satisfice.choose.bounds import number_text, share_text
from satisfice.choose.endings import joined
from satisfice.choose.questions.binding import BoundCost, BoundCosts
from satisfice.choose.questions.comparison import Side, TrialPair
from satisfice.choose.questions.infeasible import BoundInTheWay, InTheWay, NearestTrial, clause_at
from satisfice.choose.questions.knee import FrontKnee
from satisfice.choose.questions.price import PriceList
from satisfice.choose.questions.ranking import WeightedRanking
from satisfice.spec.trial import TrialState


def comparison_words(found: TrialPair) -> str:
    """Which trial is better on what."""

    def told(side: Side) -> str:
        number = found.a.number if side == "a" else found.b.number
        better = [m for m in found.metrics if m.better == side]
        sure = [m.metric for m in better if not m.within_noise]
        lucky = [m.metric for m in better if m.within_noise]
        dominant = " (no worse in any objective)" if found.dominates == side else ""
        noise = f"{joined(lucky)} within noise" if lucky else ""
        if not sure:
            return f"trial {number} is ahead on {noise}{dominant}" if lucky else ""
        also = f", and ahead on {noise}" if lucky else ""
        return f"trial {number} is better on {joined(sure)}{also}{dominant}"

    parts = [text for side in ("a", "b") if (text := told(side))]
    return "; ".join(parts) or "neither is better on any metric"


def comparison_notes(found: TrialPair) -> list[str]:
    """What to know before a difference is believed."""
    notes = []
    scored = [m for m in found.metrics if m.noise is not None and m.noise.error]
    if not scored:
        notes.append("how much of a difference is noise is not known: no standard error was recorded")
    elif not any(m.noise is not None and m.noise.paired for m in scored):
        notes.append("scores are not compared row by row, for what each row did is not stored of both trials")
    notes.append("each is a single training: another seed may move its scores by more than these intervals")
    for record, group in zip((found.a, found.b), found.seeds, strict=True):
        if group is not None:
            others = joined([str(m.number) for m in group.members if m.number != record.number])
            notes.append(
                f"trial {record.number} was trained with {len(group.members)} seeds (also trial {others}); "
                "best judges by their mean"
            )
        if record.state != TrialState.COMPLETE:
            notes.append(f"trial {record.number} is not complete: {record.reason or record.state.name}")
        if record.pending:
            notes.append(f"trial {record.number} has yet to be timed")
    return notes


def price_words(found: PriceList) -> str:
    """The dearest step, or that there is none."""
    cost, goal, points = found.cost.metric, found.objective.metric, found.points
    if not points:
        return f"no trial that fits has finite values of {cost} and {goal}"
    last = points[-1]
    if last.more is None or last.gain is None:
        return (
            f"trial {last.group.trial.number} has both the best {cost} and the best {goal}: nothing is to buy"
        )
    before = points[-2]
    which = "the only step" if len(points) == 2 else f"the last of {len(points) - 1} steps"
    verb = "costs" if found.cost.direction == "minimize" else "gives up"
    return (
        f"{which} {verb} {number_text(last.more)} of {cost} "
        f"({number_text(before.cost)} to {number_text(last.cost)}) and buys {number_text(last.gain)} "
        f"of {goal} ({number_text(before.value)} to {number_text(last.value)}), "
        f"by trial {last.group.trial.number} instead of {before.group.trial.number}"
    )


def knee_words(found: FrontKnee) -> str:
    """The knee with its values, or that there is none."""
    names = [o.metric for o in found.objectives]
    if not found.points:
        return f"no trial that fits has finite values of {joined(names)}"
    many = len(found.points)
    front = "the only point of the front" if many == 1 else f"the knee of a front of {many} trials"
    if found.chosen is None:
        return f"the front of {many} trials has no knee: it nowhere bends towards the best of both objectives"
    values = joined([f"{n} {number_text(v)}" for n, v in zip(names, found.chosen.values, strict=True)])
    if found.rule == "only objective":
        return (
            f"with one objective there is nothing to trade: trial {found.chosen.group.trial.number}, {values}"
        )
    return f"trial {found.chosen.group.trial.number} is {front}: {values} ({found.rule})"


def bound_cost_words(bound: BoundCost, found: BoundCosts) -> str:
    """What one bound costs among recorded trials, and what is not known."""
    key, goal = bound.constraint.key, found.objective.metric
    trial = "" if bound.without is None else f"trial {bound.without.trial.number}"
    if bound.without is None or bound.value is None:
        text = f"without {key} alone nothing would fit either"
    elif found.value is None:
        text = f"without {key}, {trial} would fit with {goal} {number_text(bound.value)}"
    elif not bound.gain:
        text = f"{key} costs nothing among the trials recorded"
    else:
        text = (
            f"{key} costs {number_text(bound.gain)} of {goal}: without it, {trial} reaches "
            f"{number_text(bound.value)} instead of {number_text(found.value)}"
        )
    return "; ".join([text, *(u.sentence for u in bound.unseen)])


def in_the_way_words(found: InTheWay) -> str:
    """How many fit, and which bound is in the way most."""
    if not found.finished:
        return "no trial is complete"
    trials = (
        "1 finished configuration" if found.finished == 1 else f"{found.finished} finished configurations"
    )
    if found.fitting:
        return f"{found.fitting} of {trials} {'fits' if found.fitting == 1 else 'fit'}"
    text = f"of {trials} none fits"
    most = max(found.bounds, key=lambda b: b.fit_without, default=None)
    if most is None or not most.fit_without:
        return f"{text}, whichever bound alone is dropped"
    would = "1 would" if most.fit_without == 1 else f"{most.fit_without} would"
    return f"{text}; without {most.constraint.key} alone {would}"


def bound_in_the_way_words(bound: BoundInTheWay) -> str:
    """What one bound refuses, where it would have had a solution, and what is not known."""
    key = bound.constraint.key
    parts = [f"{key} is missed by {bound.missed}; {bound.fit_without} more would fit without it alone"]
    if bound.nearest_bound is not None and bound.solution is not None:
        at = clause_at(bound.constraint, bound.nearest_bound)
        parts.append(f"{at} is the tightest with a solution (trial {bound.solution.trial.number})")
    low, high = bound.away_alone
    if high and (low, high) != (high, sum(u.turned_away for u in bound.unseen)):
        count = str(high) if low == high else f"{low} to {high}"
        parts.append(f"of the proposals turned away, {count} missed it alone")
    return "; ".join([*parts, *(u.sentence for u in bound.unseen)])


def share_words(found: InTheWay) -> str:
    """How likely more trials are to find one, as far as that can be said; empty where some fit."""
    if found.share_at_most is None:
        return ""
    return (
        f"if configurations like these were drawn on, fewer than {share_text(found.share_at_most)} of them "
        f"would fit (95% confidence, none of {found.finished}; rule of three)"
    )


def nearest_words(found: NearestTrial) -> str:
    """The trial, what it misses, and at which bounds it would fit."""
    number = found.trial.number
    if found.fits:
        return f"trial {number} fits"
    missed = describe_miss(found.trial, [m.constraint for m in found.missed])
    at = f"; it fits at {joined(list(found.conditions))}" if found.conditions else ""
    return f"the nearest is trial {number}: {missed}{at}"


def ranking_words(found: WeightedRanking) -> str:
    """Which trial comes first, by which weights."""
    by = joined([f"{share_text(w)} {o.metric}" for o, w in zip(found.metrics, found.weights, strict=True)])
    if not found.points:
        return f"no trial that fits has finite values of {joined([o.metric for o in found.metrics])}"
    first = found.points[0]
    return f"by {by}, trial {first.group.trial.number} comes first of {len(found.points)} on the front"
