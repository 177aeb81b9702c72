"""The trial that a stored study chooses: by its rule, with the noise that its trials tell."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice import choose
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.reader import Reader


def chosen_of(
    reader: Reader,
    records: Sequence[TrialRecord],
    maximize: str | None = None,
    minimize: str | None = None,
    where: str | Sequence[str] = (),
    order: str | Sequence[str] = (),
    rule: str | None = None,
    profile: str | None = None,
) -> choose.BestTrial:
    """See `satisfice.choose.chosen`; influence values are read of the trials that need them.

    Args:
        reader: Of the study.
        records: The trials to choose from.
        maximize: As for `Study.best`, like the next three.
        minimize: Metric to minimise.
        where: Further bounds.
        order: Criteria in order.
        rule: Of choice; None: the study's.
        profile: Name of a profile, whose question it is.

    Raises:
        NoFeasibleTrial: No finished trial fits.
        InputError: The question is wrong.
    """
    spec = reader.spec
    asked = choose.asked(spec, profile)
    return choose.chosen(
        records,
        asked.objectives,
        asked.constraints,
        maximize,
        minimize,
        where,
        asked.preference(order, maximize, minimize),
        rule=choose.rule_named(rule, spec.choose.rule),
        influences=reader.influences,
        seed=spec.seed,
    )


def number_to_ship(reader: Reader, records: Sequence[TrialRecord], profile: str | None = None) -> TrialRecord:
    """The trial that a question chooses by the study's rule, without what there is to know of the choice.

    Args:
        reader: Of the study.
        records: The trials to choose from.
        profile: Name of a profile, whose question it is; None: the study's own.

    Raises:
        NoFeasibleTrial: No finished trial fits.
    """
    spec: StudySpec = reader.spec
    if spec.choose.rule == "value":  # what noise there is changes nothing
        asked = choose.asked(spec, profile)
        return choose.best(records, asked.objectives, asked.constraints, order=asked.order)
    return chosen_of(reader, records, profile=profile).record
