"""A study's winner as a folder that ships: chosen, measured, scored on the test split, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from satisfice.choose import as_asked, asked
from satisfice.choose.bounds import beside_bound
from satisfice.choose.endings import joined
from satisfice.data import Splits
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.measure import Measurement, host
from satisfice.results.confirmation import Confirmation
from satisfice.results.shipped_folder import ShippedFolder
from satisfice.ship import runtime
from satisfice.ship.folder.card import model_card
from satisfice.ship.folder.description import CROSS_VALIDATION, VALIDATION, Description, Score, to_json
from satisfice.ship.folder.pipeline import Pipeline
from satisfice.ship.folder.write import FILES, check_place, write_folder
from satisfice.ship.onnx_file import Options
from satisfice.ship.safetensors_file import Header
from satisfice.spec.constraint import verdict, violated
from satisfice.spec.metric import METRICS, quantities_of, updated
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.study.after.card_words import (
    Found,
    data_words,
    found_words,
    importance_words,
    warning_words,
)
from satisfice.study.after.confirm import LoadModel, confirm, confirmed_for, stored_confirmation
from satisfice.study.after.importance import importance
from satisfice.study.after.promises import OF_THE_FILE, measured_here, promises_of, values_of
from satisfice.study.after.shipped_rows import (
    RawTest,
    classes_of,
    golden_rows,
    inputs_of,
    outputs_of,
    rows_of_test,
    score_on_test,
)
from satisfice.study.lifecycle.session import Session
from satisfice.study.models import onnx_bytes
from satisfice.study.opening import Opened
from satisfice.train.conversion import core_writer
from satisfice.train.files.onnx_shipped import FITTED_THRESHOLD

_REPEATS = 5  # permutations of each column, for the card


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """The trial that ships."""

    record: TrialRecord
    metrics: Mapping[str, float]  # with what was measured again
    by_study: bool  # whether it is the trial that the study confirms
    confirmed: int | None  # the trial that the study confirmed, where it did


@dataclass(frozen=True, kw_only=True)
class _File:
    """Its file, opened, with the test split as raw rows for it."""

    content: bytes
    header: Header
    judged: bool  # whether the trial was judged by these bytes
    options: Options  # how it was written
    pipeline: Pipeline
    test: RawTest


def ship(
    opened: Opened,
    session: Session,
    load_model: LoadModel,
    directory: Path,
    number: int | None = None,
    *,
    force: bool = False,
    profile: str | None = None,
) -> ShippedFolder:
    """Write the folder, whole or not at all.

    Args:
        opened: The study.
        session: Of whoever ships.
        load_model: Gives a trial's model.
        directory: A new or an empty folder, or a shipped folder that is replaced.
        number: Of the trial; None: the one that `confirm` or the profile chooses.
        profile: The profile whose bounds hold too.
        force: Ship it although it misses a bound; the card says so.

    Raises:
        InputError: The study, the trial or the place cannot be shipped, or the trial misses a bound.
        NoFeasibleTrial: No trial is named and none fits.
        CannotWrite: The system does not let us write there.
    """
    refuse_unshippable(session.spec)
    asks = session.spec if profile is None else as_asked(session.spec, profile)
    check_place(directory)
    choice = _choose(session, load_model, number, profile)
    file = _open_file(opened, session, choice.record)
    metrics, measured = _measured(session, choice, file, load_model)
    found, fits = verdict(asks.constraints, metrics)
    bounds, missed = asks.constraints, violated(found)
    misses = [f"{c.key} ({beside_bound(metrics[c.metric], c)})" for c in bounds if c.key in missed]
    unknown = [c.key for c in bounds if c.key not in found]
    if fits is not True and not force:
        raise _refusal(choice.record.number, misses, unknown, same=_measured_by_study(session.spec, file))
    described = replace(
        file.pipeline.described,
        promises=promises_of(
            asks,
            metrics,
            measured,
            measured_on=choice.record.measured_on,
            precision=file.options.precision,
            estimated=choice.record.estimated,
        ),
        scores=(score_on_test(file.test, file.pipeline), *_validation(session, choice.record)),
    )
    told = Found(
        spec=asks,
        profile=profile if number is None else None,
        record=choice.record,
        reader=session.reader,
        by_study=choice.by_study,
        confirmed=choice.confirmed,
        judged=file.judged,
    )
    card = model_card(
        described,
        data=data_words(session.spec, _splits(session)),
        found=found_words(told),
        goes_by=_goes_by(session, choice.record, load_model),
        warnings=warning_words(misses, unknown),
    )
    golden = golden_rows(file.test, file.pipeline)
    written = write_folder(directory, file.content, described, golden, card)
    content = to_json(written)
    return ShippedFolder(
        directory=str(directory),
        study=session.spec.name,
        trial=choice.record.number,
        fits=fits,
        files={name: (directory / name).stat().st_size for name in FILES},
        promises=content["promises"],
        scores=content["scores"],
    )


def _goes_by(session: Session, record: TrialRecord, load_model: LoadModel) -> str:
    """Which columns the model goes by; empty for images."""
    if _splits(session).kind != "table":
        return ""
    model = load_model(record.number)
    return importance_words(importance(session.spec, session.task, record, model, _REPEATS))


def refuse_unshippable(spec: StudySpec) -> None:
    """Refuse a study whose models cannot be one ONNX file.

    Raises:
        InputError: It trains own code, or its family cannot be written so.
    """
    if spec.model is None:
        raise InputError(
            f"study {spec.name!r} trains code of its own, whose models cannot be shipped yet",
            hint='format = "onnx" is not available for own tasks; study.save_model writes what a trial kept',
        )
    if core_writer(spec.model.family) is None:
        raise InputError(
            f"study {spec.name!r}: a model of the family {spec.model.family} cannot be written as ONNX",
            hint="study.save_model writes what a trial kept",
        )


def _refusal(number: int, misses: Sequence[str], unknown: Sequence[str], *, same: bool) -> InputError:
    if misses:
        form = "it" if same else "its ONNX file"
        return InputError(
            f"trial {number} does not fit: {form} misses {joined(misses)}",
            hint="ship another trial, or this one by --force (force=True), which its card will say",
        )
    return InputError(
        f"trial {number} has no verdict on {joined(unknown)} yet",
        hint="measure it first, or ship it by --force (force=True), which its card will say",
    )


def _choose(session: Session, load_model: LoadModel, number: int | None, profile: str | None) -> _Choice:
    """The trial, with what was measured when it was chosen or dropped."""
    confirmation = stored_confirmation(session)
    by_study = None if confirmation is None else confirmation.number
    if number is None:
        try:
            records = session.reader.records()
            if profile is None:
                confirmation = confirm(session, records, load_model)
                by_study = confirmation.number
            else:
                confirmation = confirmed_for(session, asked(session.spec, profile), records, load_model)
        except NoFeasibleTrial as error:
            error.hint = "; ".join(
                filter(None, (error.hint, "any complete trial ships by --trial N --force"))
            )
            raise
        if confirmation.number is None:
            raise _all_dropped(confirmation)
        number = confirmation.number
    record = session.reader.record(number)
    if record is None:
        raise InputError(f"study {session.spec.name!r} has no trial {number}")
    if record.state is not TrialState.COMPLETE:
        raise InputError(
            f"trial {number} is {record.state.name}, not complete",
            hint="name one that finished: satisfice pareto lists those that fit",
        )
    again: Mapping[str, float] = {}
    if confirmation is not None:
        dropped = {each.number: each.metrics for each in confirmation.dropped}
        again = confirmation.measured_again if confirmation.number == number else dropped.get(number, {})
    metrics = updated(record.metrics, again, session.spec.metric_names)
    return _Choice(record=record, metrics=metrics, by_study=by_study == number, confirmed=by_study)


def _all_dropped(confirmation: Confirmation) -> NoFeasibleTrial:
    told = [f"trial {each.number} misses {joined(each.violates)}" for each in confirmation.dropped]
    return NoFeasibleTrial(
        "no trial fits any more: measured again, " + joined(told),
        hint="any complete trial ships by --trial N --force",
    )


def _splits(session: Session) -> Splits:
    splits: Splits = session.task.splits  # type: ignore[attr-defined]  # a family's task has them
    return splits


def _open_file(opened: Opened, session: Session, record: TrialRecord) -> _File:
    content, header, judged = onnx_bytes(opened, record)
    spec, splits = session.spec, _splits(session)
    options = _options(session, record) if judged else Options()
    model = runtime.session(content, spec.measure.threads)
    described = Description(
        name=spec.name,
        study=spec.name,
        trial=record.number,
        task=header.task,
        target=str(splits.raw_test.target.name),
        target_rule=splits.raw_test.target_rule,
        input=inputs_of(splits, header.preprocessor, model),
        classes=classes_of(header.classes, model),
        threshold=options.threshold,
        outputs=outputs_of(model),
    )
    pipeline = Pipeline(described, model)
    test = rows_of_test(splits, header.preprocessor, pipeline)
    return _File(content=content, header=header, judged=judged, options=options, pipeline=pipeline, test=test)


def _options(session: Session, record: TrialRecord) -> Options:
    """How the file that the trial was judged by was written."""
    task: Any = session.task
    options: Options = task.options(record.params, record.metrics.get(FITTED_THRESHOLD))
    return options


def _measured_by_study(spec: StudySpec, file: _File) -> bool:
    """Whether the study's own figures are those of this file in ONNX Runtime."""
    return file.judged and spec.measure.runtime == "onnxruntime"


def _measured(
    session: Session, choice: _Choice, file: _File, load_model: LoadModel
) -> tuple[dict[str, float], list[Measurement]]:
    """The metrics of the file that ships, and the measurements behind them.

    A file that the trial was not judged by, or that was not what the study timed, is measured here and now.
    """
    spec, record = session.spec, choice.record
    if _measured_by_study(spec, file):
        hosts = dict.fromkeys(filter(None, (host().fingerprint, record.measured_on)))
        model = load_model(record.number) if session.evaluator.times else None
        stored = session.evaluator.remembered(record.params, model, list(hosts))
        size = {"size_bytes": float(len(file.content))}
        return updated(choice.metrics, size, spec.metric_names), stored
    wanted = quantities_of([*spec.metric_names, *choice.metrics]) & OF_THE_FILE
    row = {name: tensor[:1] for name, tensor in file.test.feeds.items()}
    taken = measured_here(spec, file.content, file.pipeline, row, wanted, session.quiet)
    anew = values_of(taken, wanted, len(file.content))
    kept = {name: value for name, value in choice.metrics.items() if not quantities_of([name]) & OF_THE_FILE}
    return updated(kept, anew, spec.metric_names), taken


def _validation(session: Session, record: TrialRecord) -> list[Score]:
    """The trial's own scores on the rows that it was chosen by."""
    splits = _splits(session)
    names = [name for name in record.metrics if name in METRICS and METRICS[name].task == splits.task]
    metrics: dict[str, Any] = {name: record.metrics[name] for name in names}
    if not metrics:
        return []
    if record.folds is None:
        return [Score(split=VALIDATION, rows=len(splits.valid), metrics=metrics)]
    errors = {name: record.standard_errors[name] for name in names if name in record.standard_errors}
    return [Score(split=CROSS_VALIDATION, rows=len(splits.train), metrics=metrics, standard_errors=errors)]
