"""What a report needs of a study."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satisfice.choose import BestTrial, Noise, as_asked
from satisfice.choose.bounds import number_text, share_text
from satisfice.choose.endings import joined
from satisfice.choose.noise.words import expected_words, split_remarks, tied_words
from satisfice.choose.trial_group import TrialGroup
from satisfice.data import ColumnNote
from satisfice.errors import NoFeasibleTrial, SatisficeError
from satisfice.measure import Quiet
from satisfice.measure.host import Host
from satisfice.results.confirmation import Confirmation
from satisfice.results.importance import Ablation
from satisfice.results.report_context import ReportContext
from satisfice.results.status import Counts
from satisfice.results.understanding import HealthNote, TrainingDiagnosis
from satisfice.search.metric_models import MetricModels
from satisfice.spec.constraint import parse_clause
from satisfice.spec.task import Predicts
from satisfice.spec.trial import TrialRecord
from satisfice.store import data_notes
from satisfice.store import workers as presence
from satisfice.store.atomic_files import writing
from satisfice.store.reader import Reader
from satisfice.study.choice import chosen_of
from satisfice.study.lifecycle.screening import is_of_configuration
from satisfice.study.measuring.evaluator import Evaluator
from satisfice.study.opening import Opened
from satisfice.study.understanding import diagnoses, findings

if TYPE_CHECKING:
    from satisfice.data.facts import DataFacts

ExactMetrics = Callable[[Mapping[str, Any]], Mapping[str, float]]
WriteReport = Callable[..., Path]  # `satisfice.report.write_report`


def context(
    reader: Reader,
    records: Sequence[TrialRecord],
    status: Counts,
    chosen: int | None = None,
    profile: str | None = None,
    rule: str | None = None,
) -> ReportContext:
    """What a report says beside the trials.

    Args:
        reader: Of the study.
        records: All its trials.
        status: Its counts.
        chosen: The trial that it is about, where that is not the study's own choice.
        profile: The profile that it is for, whose choice it is about; None: the study's own question.
        rule: Of that choice; None: the study's.
    """
    stored = reader.study_row()["chosen"]
    confirmed = Confirmation.from_json(json.loads(stored)) if stored else None
    dropped = confirmed.dropped if confirmed is not None else ()
    best = None
    if chosen is None:
        lost = {d.number for d in dropped}
        best = _choice(reader, [r for r in records if r.number not in lost], rule, profile)
        chosen = None if best is None else best.number
    default = next((r.number for r in records if r.proposal.get("origin") == "default"), None)
    mine, theirs = (None if confirmed is None else confirmed.scored(each) for each in (chosen, default))
    notes = [
        f"Trial {d.number} was dropped: measured again, it misses {joined(d.violates)}." for d in dropped
    ]
    if mine is not None and mine.untested is not None:
        notes.append(f"Trial {chosen} was not scored on the test split: {mine.untested}.")
    if theirs is not None and theirs.untested is not None and default != chosen:
        notes.append(f"The default configuration was not scored on the test split: {theirs.untested}.")
    notes += _estimates(reader, records)
    notes += _of_noise(best)
    own = next((r for r in records if r.number == chosen), None)
    if mine is not None and own is not None:
        names = reader.spec.metric_names
        notes += [
            f"{said}."
            for said in split_remarks(
                names, own.metrics, own.standard_errors, mine.test, mine.standard_errors or {}
            )
        ]
    if reader.spec.folds is not None:
        notes.append(
            f"Scores of trials are cross-validated: means over {reader.spec.folds} folds. The model that a "
            "trial keeps is trained on the rows of all folds; size and latency are those of its file."
        )
    notes += [f"{status.waiting}."] if status.waiting else []
    judged = [said for said in status.changes if not said.startswith("budget: ")]
    notes += [f"Changed in version {status.spec_version} of the study: {said}." for said in judged]
    test_metrics = {} if mine is None else mine.test
    return ReportContext(
        status=status,
        chosen=chosen,
        default=default,
        default_reason=_default_reason(reader) if default is None else "",
        test_metrics=test_metrics,
        default_test={} if theirs is None else theirs.test,
        test_errors={} if mine is None else mine.standard_errors or {},
        default_test_errors={} if theirs is None else theirs.standard_errors or {},
        default_within_noise=_within_noise(reader, records, chosen, default),
        has_test=reader.spec.model is not None or bool(test_metrics),
        notes=notes,
        data_notes=_data_notes(reader),
        folds=reader.spec.folds,
        host=_measured_on(reader, records),
        profile=profile,
        rule=rule,
    )


def explained(
    told: ReportContext,
    reader: Reader,
    records: Sequence[TrialRecord],
    facts: DataFacts | None,
    ablation: Ablation | None = None,
) -> ReportContext:
    """The same with what trainings show, what is wrong with the study, and what made the chosen trial good.

    Args:
        told: The context.
        reader: Of the study.
        records: All its trials, with their reports.
        facts: What its data tell, where they are here.
        ablation: The latest one of the study.
    """
    return replace(
        told,
        ablation=ablation,
        diagnoses=[TrainingDiagnosis.of(d) for d in diagnoses(reader.spec, records)],
        health=[HealthNote.of(f) for f in findings(reader, records, facts)],
    )


def _estimates(reader: Reader, records: Sequence[TrialRecord]) -> list[str]:
    """Which metrics were not measured, and what they are instead."""
    names = sorted({name for record in records for name in record.estimated})
    if not names:
        return []
    verb = "is" if len(names) == 1 else "are"
    watts = number_text(reader.spec.measure.watts)
    return [f"{joined(names)} {verb} estimated: processor time times {watts} W, for no counter can be read."]


def exact_metrics(opened: Opened) -> ExactMetrics | None:
    """What can be computed of a configuration of the study; None where its code or data are not here."""
    try:
        task = opened.task
    except SatisficeError:
        return None
    evaluator = Evaluator(
        opened.spec,
        task,
        opened.db,
        Quiet(who=f"report of {opened.spec.name}"),
        study_uuid=opened.row["uuid"],
        measures=False,
    )
    kept: dict[str, Mapping[str, float]] = {}

    def exact(params: Mapping[str, Any]) -> Mapping[str, float]:
        try:
            of = task.architecture(params) if isinstance(task, Predicts) else params
            key = json.dumps(dict(of), sort_keys=True, default=repr)
            if key not in kept:
                kept[key] = evaluator.exact(params)
        except Exception as error:
            if not is_of_configuration(error) and not isinstance(error, SatisficeError):
                raise
            return {}  # such a configuration cannot be built, or the data are not here
        return kept[key]

    return exact


def _data_notes(reader: Reader) -> list[str]:
    with reader.db.look() as connection:
        found = data_notes.notes_of(connection, reader.rows, reader.study_row()["optuna_study_id"])
    return [str(ColumnNote(**{**note, "examples": tuple(note["examples"])})) for note in found]


def _choice(
    reader: Reader, records: Sequence[TrialRecord], rule: str | None, profile: str | None
) -> BestTrial | None:
    try:
        return chosen_of(reader, records, rule=rule, profile=profile)
    except NoFeasibleTrial:
        return None


def _within_noise(
    reader: Reader, records: Sequence[TrialRecord], one: int | None, other: int | None
) -> bool | None:
    """Whether two trials cannot be told apart on the first objective; None where nobody knows."""
    both = [r for r in records if r.number in (one, other)]
    if len(both) != 2:
        return None
    metric = reader.spec.objectives[0].metric
    noise = Noise(influences=reader.influences(r.number for r in both))
    a, b = (TrialGroup(trial=r, members=(r,)) for r in both)
    found = noise.difference(a, b, metric)
    return found.is_noise() if found.error is not None and math.isfinite(found.value) else None


def _of_noise(best: BestTrial | None) -> list[str]:
    """What the chosen trial cannot be told from, and what to expect of it."""
    if best is None:
        return []
    said = (tied_words(best.number, best.tied, best.cheapest_tied), expected_words(best.expected))
    return [f"{text[0].upper()}{text[1:]}." for text in said if text]


def _measured_on(reader: Reader, records: Sequence[TrialRecord]) -> str:
    """The hosts whose latencies the trials have, in words; empty where nothing was timed."""
    timed = dict.fromkeys(r.measured_on for r in records if r.measured_on is not None)
    known = presence.hosts_described(reader.db) if timed else {}
    words = [str(Host(fingerprint=f, description=known[f])) if f in known else f for f in timed]
    return " and ".join(words)


def _default_reason(reader: Reader) -> str:
    for row in reader.queue():
        if row["source"] == "default" and row["turned_away"]:
            missed = json.loads(row["turned_away"])
            raised = {key for key in missed if key.endswith(" before training")}
            if raised:
                return f"its code raised {' and '.join(sorted(raised))}"
            return "it misses " + joined([_missed(key, v) for key, v in missed.items()])
    return ""


def _missed(key: str, violation: float) -> str:
    if not math.isfinite(violation):
        return key
    # Of a bound that held then; it may be another one by now.
    return f"{key} by {share_text(violation) if parse_clause(key).bound else number_text(violation)}"


def write(
    reader: Reader,
    records: Sequence[TrialRecord],
    status: Counts,
    directory: Path,
    exact: ExactMetrics | None = None,
    profile: str | None = None,
    rule: str | None = None,
    facts: DataFacts | None = None,
    ablation: Ablation | None = None,
) -> Path:
    """Write the report, for the study's own question or a profile's; returns its page.

    The report layer lies above this one and is loaded only here, by its name: no worker loads plots.

    Args:
        reader: Of the study.
        records: All its trials, with reports.
        status: Its counts.
        directory: Where to.
        exact: Metrics of a configuration that are computed and not measured; None: nothing can be here.
        profile: Name of the profile that it is for; None: the study's own question.
        rule: Of choice; None: the study's.
        facts: What the study's data tell, where they are here.
        ablation: The latest one of the study.

    Raises:
        CannotWrite: The folder cannot be written.
    """
    write_report: WriteReport = importlib.import_module("satisfice.report").write_report
    spec = reader.spec if profile is None else as_asked(reader.spec, profile)
    told = context(reader, records, status, profile=profile, rule=rule)
    told = explained(told, reader, records, facts, ablation)
    models = MetricModels(spec.space, spec.objectives, spec.constraints, records)
    with writing(directory):
        whole = None if profile is None else reader.spec
        return write_report(spec, records, told, directory, exact, models, reader.influences, whole)


def figures(
    reader: Reader, records: Sequence[TrialRecord], status: Counts, profile: str | None = None
) -> dict[str, Any]:
    """The report's figures by their titles; the report layer is looked up as in `write`.

    Raises:
        MissingExtra: plotly is not installed.
    """
    spec = reader.spec if profile is None else as_asked(reader.spec, profile)
    told = context(reader, records, status, profile=profile)
    found: dict[str, Any] = importlib.import_module("satisfice.report").figures_of(spec, records, told)
    return found
