"""From a stored study to its diagnosis and its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from satisfice.errors import InputError, SatisficeError
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.reader import Reader
from satisfice.study.opening import Opened, check_data
from satisfice.train import TRAINERS
from satisfice.train.hyperparameter import Hyperparameter
from satisfice.understand.diagnosis import diagnose
from satisfice.understand.examination import examine
from satisfice.understand.health.state import HealthFinding, StudyState
from satisfice.understand.training.labels import Diagnosis

if TYPE_CHECKING:
    from satisfice.data.facts import DataFacts


def diagnoses(spec: StudySpec, records: Sequence[TrialRecord], number: int | None = None) -> list[Diagnosis]:
    """Of all trainings that have begun, or of one.

    Args:
        spec: The study.
        records: All its trials, with their reports.
        number: Of the one.
    """
    defaults = {name: h.default for name, h in _hyperparameters(spec).items()}
    return diagnose(records, spec, defaults=defaults, numbers=None if number is None else [number])


def findings(reader: Reader, records: Sequence[TrialRecord], facts: DataFacts | None) -> list[HealthFinding]:
    """What is wrong with the study.

    Args:
        reader: Of the study.
        records: All its trials, with their reports.
        facts: What its data tell, where they are here.
    """
    spec = reader.spec
    return examine(
        StudyState(
            spec=spec,
            records=records,
            diagnoses=diagnoses(spec, records),
            turned_away=reader.turned_away(),
            turned_away_in_all=reader.study_row()["turned_away"],
            limits={name: (h.low, h.high) for name, h in _hyperparameters(spec).items()},
            facts=facts,
        )
    )


def data_facts(opened: Opened) -> DataFacts | None:
    """What the study's data tell; None where its family reads data in a way of its own.

    Raises:
        InputError: This machine lacks them, or has others.
    """
    # Whoever only reads a study loads neither pandas nor what trains.
    from satisfice.data.facts import facts_of
    from satisfice.data.loading import dataset_of
    from satisfice.train.family_task import FamilyTask

    check_data(opened)
    task, data = opened.task, opened.spec.data
    if not isinstance(task, FamilyTask) or data is None:
        return None
    known = dataset_of(data)
    return facts_of(task.splits, by_time=data.time is not None or (known is not None and known.by_time))


def facts_if_here(opened: Opened) -> DataFacts | None:
    """The same; None too where this machine lacks the data, has others, or the study trains own code."""
    if opened.spec.model is None:
        return None
    try:
        return data_facts(opened)
    except SatisficeError:
        return None


def _hyperparameters(spec: StudySpec) -> Mapping[str, Hyperparameter]:
    """Of the family; none where it is not registered on this machine, or the study trains own code."""
    if spec.model is None:
        return {}
    try:
        found: Any = TRAINERS.get(spec.model.family)
    except InputError:
        return {}
    hyperparameters: Mapping[str, Hyperparameter] = found.hyperparameters
    return hyperparameters
