"""What a model card says of a study: its data, and how the model was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from satisfice.choose.endings import joined
from satisfice.data import Splits, dataset_of
from satisfice.results.importance import Importance
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.reader import Reader
from satisfice.study.status import counts, turned_away_sentence

_MOST_NOTES = 20
_MOST_COLUMNS = 20


@dataclass(frozen=True, kw_only=True)
class Found:
    """How a model was found."""

    spec: StudySpec
    record: TrialRecord
    reader: Reader
    by_study: bool  # whether it is the trial that the study confirms
    confirmed: int | None  # the trial that the study confirmed, where it did
    judged: bool  # whether the trial was judged by the bytes that ship
    profile: str | None = None  # the profile that chose it; ``spec`` is then the study as that sees it


def data_words(spec: StudySpec, splits: Splits) -> str:
    """What it was trained on: the source, the split, and what became of single columns."""
    assert spec.data is not None
    dataset = dataset_of(spec.data)
    if dataset is not None:
        name = f"`{dataset.name}`: {dataset.doc.rstrip('.')}. Source: {dataset.source.rstrip('.')}."
    else:
        of = "file" if spec.data.folder is None else "folder"
        name = f"The {of} `{PurePath(spec.data.file or spec.data.folder or '').name}`."
    how = f"in the order of `{spec.data.time}`" if spec.data.time else f"drawn by the seed {spec.seed}"
    if spec.folds is None:
        rows = f"{len(splits.train)} rows trained it, {len(splits.valid)} validated it"
    else:
        rows = (
            f"{len(splits.train)} rows trained it; before that each of them validated a model that had not "
            f"seen it, in one of {spec.folds} folds"
        )
    rows += f", {len(splits.test)} tested it"
    parts = [f"{name} {rows}; the split is {how}."]
    if spec.data.groups is not None:
        parts.append(f"Rows of one `{spec.data.groups}` stand in one split and fold.")
    if spec.data.limit is not None:
        parts.append(f"Of all rows {spec.data.limit} were used.")
    if len(splits.classes) == 2:
        parts.append(f"The positive class is `{splits.classes[1]}`.")
    if spec.data.drop:
        parts.append(f"Columns left out by the study: {joined([f'`{name}`' for name in spec.data.drop])}.")
    notes = [f"- {note}" for note in splits.notes[:_MOST_NOTES]]
    more = len(splits.notes) - len(notes)
    notes += [f"- and {more} further notes, which the study keeps"] if more else []
    return "\n\n".join([" ".join(parts), *(["\n".join(notes)] if notes else [])])


def found_words(found: Found) -> str:
    """The search, its bounds, how the trial was chosen and measured, and its hyperparameters."""
    spec, status = found.spec, counts(found.reader)
    states = ", ".join(f"{n} {state.lower()}" for state, n in sorted(status.states.items()) if n)
    search = (
        f"By a search of satisfice (sampler `{spec.search.sampler}`, pruner `{spec.search.pruner}`, seed "
        f"{spec.seed}) over {len(spec.space.names)} hyperparameters: {states} of "
        f"{status.budget.trials} trials."
    )
    away = turned_away_sentence(status.turned_away)
    goals = joined([f"{o.direction} `{o.metric}`" for o in spec.objectives])
    bounds = joined([f"`{c.key}`" for c in spec.constraints])
    aims = f"Objectives: {goals}. " + (f"Bounds: {bounds}." if bounds else "No bounds.")
    parts = [
        search + (f" {away}." if away else ""),
        aims,
        _chosen(found),
        _otherwise_measured(found),
        _hyperparameters(spec.model.fixed if spec.model is not None else {}, found.record.params),
    ]
    return "\n\n".join(filter(None, parts))


def _chosen(found: Found) -> str:
    number = found.record.number
    if found.profile is not None:
        return (
            f"Trial {number} is the one that the study's profile `{found.profile}` chose by its validation "
            "rows and measured again. The test rows were not used to choose it."
        )
    if found.by_study:
        return (
            f"Trial {number} is the one that the study chose by {_by(found.spec)} and measured again. The "
            "test rows were not used to choose it."
        )
    other = f"; the study's own choice is trial {found.confirmed}" if found.confirmed is not None else ""
    return (
        f"Trial {number} was named by a person{other}. The test split was scored for it when it was shipped: "
        "whoever compares several trials by their test scores chooses by the test rows."
    )


def _by(spec: StudySpec) -> str:
    return "its validation rows" if spec.folds is None else f"cross-validation with {spec.folds} folds"


def _otherwise_measured(found: Found) -> str:
    """What was measured of another file, or in another library, than what ships; empty where nothing was."""
    if not found.judged:
        return (
            "The study judged the trial by a safetensors file in the library that trained it. `model.onnx` "
            "was converted from it when it was shipped, and its size, latency, throughput and memory were "
            "measured anew of the ONNX file in ONNX Runtime. The promises are those of the ONNX file."
        )
    if found.spec.measure.runtime == "torch":
        return (
            "The study timed the trained model in the library that trained it. Latency, throughput and "
            "memory were measured anew of `model.onnx` in ONNX Runtime when it was shipped: the promises are "
            "those."
        )
    return ""


def _hyperparameters(fixed: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {_shown(value)} | fixed |" for name, value in fixed.items()]
    rows += [f"| {name} | {_shown(value)} | searched |" for name, value in params.items()]
    return "\n".join(["| hyperparameter | value | |", "|---|---|---|", *rows])


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def importance_words(found: Importance) -> str:
    """What the model goes by, column by column."""
    gains = any(each.gain is not None for each in found.columns)
    rows = [
        f"| {_cell(each.column)} | {each.importance:.4g} ± {each.deviation:.2g} |"
        + (f" {each.gain or 0.0:.1%} |" if gains else "")
        for each in found.columns[:_MOST_COLUMNS]
    ]
    head = [f"| column | loss of {found.metric} |" + (" share of the gain of all splits |" if gains else "")]
    head += ["|---|---|" + ("---|" if gains else "")]
    more = len(found.columns) - len(rows)
    told = f" {more} further columns matter less." if more else ""
    caution = " Columns that say the same share what they are worth, so that each alone looks less important."
    return "\n".join([f"{found.sentence}{caution}{told}", "", *head, *rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def warning_words(misses: Sequence[str], unknown: Sequence[str]) -> tuple[str, ...]:
    """What whoever uses a model must know that does not fit, or of which that is not known."""
    found = [f"it does not fit the bounds of its study: it misses {joined(misses)}."] if misses else []
    found += [f"the study has no verdict on {joined(unknown)}."] if unknown else []
    return tuple(found)
