"""A study as columns: what the page computes with, exactly, as one JSON document.

Metrics and parameters keep every digit, since the page compares them as `satisfice.choose` does. Only curves,
which are drawn and never compared, are shortened.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution

from satisfice.choose.bounds import metric_value
from satisfice.choose.endings import joined
from satisfice.choose.noise.carried import carried_noise, errors_of
from satisfice.choose.questions.unseen import Refusals, Unseen, beyond_bounds, constraint_of
from satisfice.choose.trial_group import configurations
from satisfice.report.context import ProfileView, StudyView
from satisfice.results.report_context import ReportContext
from satisfice.results.understanding import TrainingDiagnosis, TrainingLabel
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import direction_of
from satisfice.spec.metric import METRICS, one_unit
from satisfice.spec.space import EXACT, Parameter
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

_STATES = {
    TrialState.COMPLETE: "C",
    TrialState.PRUNED: "P",
    TrialState.FAIL: "F",
    TrialState.RUNNING: "R",
    TrialState.WAITING: "W",
}
_MOST_POINTS = 400_000  # of all curves: about 2.5 MB
_DIGITS = 4  # of a point of a curve


def study_columns(view: StudyView, context: ReportContext, name: str) -> dict[str, Any]:
    """Everything the page asks of a study.

    Args:
        view: The study.
        context: What the records do not tell.
        name: Of the study, for the command lines to copy.

    Returns:
        ``study``, ``metrics`` and ``params`` (each with ``values`` by place), ``trials`` (by place),
        ``means`` (of configurations with several seeds), ``violations`` (stored verdicts that differ from
        what the values say), ``beyond`` (where nothing was trained), ``quantities``, ``curves``,
        ``noise`` (see `carried_noise`).
    """
    records = view.records
    names = _metric_names(view)
    objectives, constraints = view.own or (view.objectives, view.constraints)
    return {
        "study": {
            "name": name,
            "objectives": [_objective(o) for o in objectives],
            "constraints": [_constraint(c) for c in constraints],
            "profiles": [_profile(p) for p in view.profiles],
            "chosen": view.chosen,
            "default": view.default,
            "rule": view.rule,
            "asked": {"profile": context.profile, "rule": context.rule or view.rule},
        },
        "metrics": [_metric(view, metric) for metric in names],
        "params": [_parameter(view.space.by_name[p], records) for p in view.space.names],
        "trials": _trials(records, context.diagnoses),
        "noise": carried_noise(records, names, view.influences),
        "replicates": {str(i): r.replicate_of for i, r in enumerate(records) if r.replicate_of is not None},
        "means": _means(view, names),
        "violations": _stored(records),
        "beyond": _beyond(view, context),
        "quantities": {
            c.metric: [METRICS[c.metric].quantity, METRICS[c.metric].scale]
            for c in (*view.constraints, *(u.constraint for u in _unseen(view, context)))
            if c.metric in METRICS
        },
        "curves": curves(view),
    }


def to_json(data: Any) -> str:
    """Compact JSON that may stand inside a script element: nothing in it ends the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    # "</script" and "<!--" would end or change the element, the two separators an old parser's line.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def number(value: float | None) -> float | str | None:
    """A number as JSON can carry it: words for NaN and the infinities."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _metric_names(view: StudyView) -> list[str]:
    """The metrics that the study names, then all others that a trial has, in one unit each."""
    recorded = dict.fromkeys(name for r in view.records for name in r.metrics)
    by_profiles = [
        name
        for p in view.profiles
        for name in (*(o.metric for o in p.objectives), *(c.metric for c in p.constraints))
    ]
    named = list(dict.fromkeys([*view.metric_names, *by_profiles]))
    return list(dict.fromkeys([*named, *one_unit(named, recorded)]))


def _metric(view: StudyView, name: str) -> dict[str, Any]:
    known = METRICS.get(name)
    return {
        "name": name,
        "direction": direction_of(name, view.objectives, ()),  # a bound may say it too: the question's own
        "quantity": name if known is None else known.quantity,
        "scale": 1.0 if known is None else known.scale,
        "share": known is not None and known.upper == 1.0,
        "range": None if known is None else [_end(known.lower), _end(known.upper)],
        "errors": errors_of(view.records, name),
        "values": [number(metric_value(r, name)) for r in view.records],
    }


def _end(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _objective(o: Objective) -> dict[str, Any]:
    return {"metric": o.metric, "direction": o.direction}


def _profile(profile: ProfileView) -> dict[str, Any]:
    order = [
        {**_objective(p.objective), "tolerance": p.tolerance, "relative": p.relative} for p in profile.order
    ]
    return {
        "name": profile.name,
        "objectives": [_objective(o) for o in profile.objectives],
        "constraints": [_constraint(c) for c in profile.constraints],
        "order": order,
    }


def _constraint(c: Constraint) -> dict[str, Any]:
    return {"metric": c.metric, "operator": c.operator, "bound": c.bound}


def _parameter(parameter: Parameter, records: Sequence[TrialRecord]) -> dict[str, Any]:
    d = parameter.distribution
    has = [(i, r.params[parameter.name]) for i, r in enumerate(records) if parameter.name in r.params]
    values: list[Any] = [None] * len(records)
    if isinstance(d, CategoricalDistribution):
        choices = list(d.choices)
        places = {_identity(c): i for i, c in enumerate(choices)}
        for i, value in has:  # a study whose space grew may have choices that are no longer in it
            if _identity(value) not in places:
                places[_identity(value)] = len(choices)
                choices.append(value)
            values[i] = places[_identity(value)]
        said = [{"text": str(c), "python": repr(c), "toml": _toml(c)} for c in choices]
        return {"name": parameter.name, "kind": "choice", "choices": said, "values": values}
    whole = all(isinstance(v, int) and not isinstance(v, bool) for _, v in has)
    for i, value in has:
        values[i] = number(float(value)) if isinstance(value, float) else value
    kind = "int" if has and whole else "float"
    low, high = float(getattr(d, "low", 0.0)), float(getattr(d, "high", 1.0))
    exact = {str(i): str(v) for i, v in has if isinstance(v, int) and abs(v) > EXACT}
    return {
        "name": parameter.name,
        "kind": kind,
        "low": low,
        "high": high,
        "log": bool(getattr(d, "log", False)),
        "values": values,
        **({"exact": exact} if exact else {}),  # integers that no JavaScript number holds
    }


def _identity(choice: Any) -> tuple[str, Any]:
    """Keeps True apart from 1, which Python calls equal."""
    return type(choice).__name__, choice


def _toml(choice: Any) -> str | None:
    """A choice in TOML; None where TOML has no word for it."""
    if choice is None:
        return None
    if isinstance(choice, float) and not math.isfinite(choice):
        return "nan" if math.isnan(choice) else "inf" if choice > 0 else "-inf"
    return json.dumps(choice, ensure_ascii=False) if isinstance(choice, str) else json.dumps(choice)


def _trials(records: Sequence[TrialRecord], diagnoses: Sequence[TrainingDiagnosis]) -> dict[str, Any]:
    """What is known of each trial beside parameters and metrics; texts that repeat are kept once."""
    texts: dict[str, int] = {}

    def kept(text: str | None) -> int | None:
        return None if not text else texts.setdefault(text, len(texts))

    columns: dict[str, Any] = {
        "number": [r.number for r in records],
        "state": "".join(_STATES[r.state] for r in records),
        "pending": [i for i, r in enumerate(records) if r.pending],
        "reason": [kept(r.reason) for r in records],
        "origin": [kept(str(r.proposal.get("origin") or "")) for r in records],
        "worker": [kept(r.worker) for r in records],
        "host": [kept(r.measured_on) for r in records],
        "attempts": [r.attempts for r in records],
        "steps": [r.steps for r in records],
        "seed": [str(r.seed) for r in records],
        "started": [
            r.started_at.isoformat(timespec="seconds") if r.started_at is not None else None for r in records
        ],
        "seconds": [_seconds(r) for r in records],
        "diagnosis": _labels(records, diagnoses),
    }
    return {**columns, "texts": list(texts)}


def _labels(
    records: Sequence[TrialRecord], diagnoses: Sequence[TrainingDiagnosis]
) -> list[list[list[str]] | None]:
    """By place: each label with what shows it and what most likely caused it; None where there is none."""
    found = {d.number: d.labels for d in diagnoses}
    return [[_label(each) for each in found.get(r.number, ())] or None for r in records]


def _label(found: TrainingLabel) -> list[str]:
    if found.label == "healthy":
        return [found.label, ""]
    causes = f"; likely by {joined(found.params)}" if found.params else ""
    return [found.label, f"{found.evidence}{causes}"]


def _seconds(record: TrialRecord) -> float | None:
    if record.started_at is None or record.finished_at is None:
        return None
    return round((record.finished_at - record.started_at).total_seconds(), 3)


def _means(view: StudyView, names: Sequence[str]) -> dict[str, dict[str, float | str]]:
    """Means of configurations with several seeds, by the number of the first: Python adds exactly."""
    out = {}
    for group in configurations(view.records, ()):
        if len(group.members) > 1:
            first = group.members[0]
            key = str(first.number if first.replicate_of is None else first.replicate_of)
            means = {name: number(group.mean(name)) for name in names}
            out[key] = {name: v for name, v in means.items() if v is not None}
    return out


def _stored(records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """The verdicts written with the trials, where they differ from what the metrics say.

    The page compares by key, as `choose.bounds.trial_violations` does.
    """
    found: dict[str, dict[str, Any]] = {}
    parsed: dict[str, Constraint | None] = {}
    for i, r in enumerate(records):
        for key, stored in r.violations.items():
            if key not in parsed:
                parsed[key] = _parsed(key)
            constraint = parsed[key]
            value = None if constraint is None else metric_value(r, constraint.metric)
            if constraint is None or value is None or constraint.violation(value) != stored:
                found.setdefault(key, {})[str(i)] = number(stored)
    return [{"key": key, "differ": differ} for key, differ in found.items()]


def _parsed(key: str) -> Constraint | None:
    """The bound of a key, if all its digits are in the key."""
    found = constraint_of(key)
    return found if found is not None and found.key == key else None


def _unseen(view: StudyView, context: ReportContext) -> list[Unseen]:
    away: Mapping[str, int] = context.status.get("turned_away_by_constraint") or {}
    proposals = int(context.status.get("turned_away", 0))
    return beyond_bounds(view.records, [Refusals(proposals=proposals, by_constraint=away)])


def _beyond(view: StudyView, context: ReportContext) -> list[dict[str, Any]]:
    return [
        {**_constraint(u.constraint), "away": u.turned_away, "stopped": u.stopped, "sentence": u.sentence}
        for u in _unseen(view, context)
    ]


def curves(view: StudyView, *, most: int = _MOST_POINTS) -> dict[str, Any]:
    """What the trials reported: the objectives, else whatever was reported.

    Args:
        view: The study, its records with ``reports``.
        most: Points of all curves together. Beyond it the chosen and the default trial are kept, then the
            latest.

    Returns:
        ``metrics``, each a mapping from places of trials to ``[steps, values]`` (``steps`` is the number of
        them where they are 1, 2, ...), and ``left_out``, the number of trials without their curves.
    """
    reported = dict.fromkeys(m for r in view.records for step in r.reports.values() for m in step)
    wanted = [o.metric for o in view.objectives if o.metric in reported] or list(reported)[:3]
    order = sorted(
        (i for i, r in enumerate(view.records) if r.reports),
        key=lambda i: (view.records[i].number not in (view.chosen, view.default), -i),
    )
    found: dict[str, dict[str, Any]] = {name: {} for name in wanted}
    left, out = most, 0
    for i in order:
        own = {name: _curve(view.records[i], name) for name in wanted}
        size = sum(len(values) for _, values in own.values())
        if size > left:
            out += 1
            continue
        left -= size
        for name, (steps, values) in own.items():
            if values:
                regular = steps == list(range(1, len(steps) + 1))
                found[name][str(i)] = [len(steps) if regular else steps, values]
    return {"metrics": found, "left_out": out}


def _curve(record: TrialRecord, name: str) -> tuple[list[int], list[float | str | None]]:
    at = [(step, told[name]) for step, told in sorted(record.reports.items()) if name in told]
    return [s for s, _ in at], [number(v) if not math.isfinite(v) else _short(v) for _, v in at]


def _short(value: float) -> float:
    short = float(f"{value:.{_DIGITS}g}")
    if not math.isfinite(short):  # the largest numbers would be rounded to infinity
        return value
    return int(short) if short.is_integer() and abs(short) < EXACT else short
