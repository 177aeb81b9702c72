"""`diagnose`: a label for every training of a study, with what shows it and what most likely caused it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.understand.training import rules
from satisfice.understand.training.curves import Curves, curves_of, source_of
from satisfice.understand.training.labels import LABELS, Diagnosis, TrainingFinding
from satisfice.understand.training.neighbours import Neighbourhood

_TREES = ("forest", "boosting")


def diagnose(
    records: Sequence[TrialRecord],
    spec: StudySpec,
    *,
    defaults: Mapping[str, Any] | None = None,
    numbers: Iterable[int] | None = None,
) -> list[Diagnosis]:
    """Every training that has begun, by number; of a cross-validated one only whether it diverged.

    Args:
        records: All trials of the study with their reports: the neighbours of each.
        spec: The study.
        defaults: The family's hyperparameters: what a value is compared with where no training did better.
        numbers: Of the trials to diagnose; None: all.
    """
    wanted = None if numbers is None else set(numbers)
    # With cross-validation a step is a fold: what is reported is no curve of a training.
    source = None if spec.folds is not None else source_of(records, spec.objectives)
    curves: dict[int, Curves] = {}
    if source is not None:
        found = ((r.number, curves_of(r, source)) for r in records if r.reports)
        curves = {number: c for number, c in found if c is not None}
    fixed = {} if spec.model is None else spec.model.fixed
    among = Neighbourhood(curves=list(curves.values()), fixed=fixed, defaults=defaults or {})
    return [
        Diagnosis(number=r.number, labels=_labels(r, curves.get(r.number), among, spec))
        for r in records
        if r.state != TrialState.WAITING and (wanted is None or r.number in wanted)
    ]


def counts(found: Iterable[Diagnosis]) -> dict[str, int]:
    """Trainings by label, in the order of the labels; a training with two labels counts under both."""
    counted = Counter(f.label for d in found for f in d.labels)
    return {label: counted[label] for label in LABELS if counted[label]}


def _labels(
    record: TrialRecord, curves: Curves | None, among: Neighbourhood, spec: StudySpec
) -> list[TrainingFinding]:
    if curves is None:
        reason = record.reason or ""
        if not reason.startswith("diverged"):
            return []
        said = reason.removeprefix("diverged").removeprefix(": ").split(" (")[0]
        return [TrainingFinding(label="diverged", evidence=said or "its loss is not a number")]
    family = None if spec.model is None else spec.model.family
    case = rules.Case(
        curves=curves,
        among=among,
        limit=spec.budget.epochs,
        trees=family in _TREES,
        in_bag=family == "forest",
    )
    exploded = rules.diverged(case)
    if exploded is not None:
        return [exploded]
    found = [f for rule in (rules.oscillating, rules.overfitting) if (f := rule(case)) is not None]
    if not found:
        held = rules.slow_or_held_back(case)
        found = [held] if held is not None else rules.ended_too_early(case)
    if not found:
        low = rules.underfitting(case)
        found = [low] if low is not None else []
    return found or [rules.healthy(case)]
