"""What is known of a trial, as everyone reads it: search, choice, reports, JSON.

Of a cross-validated trial step k tells of fold k. A report holds each metric's mean over the folds so far
under its own name, and its value on this fold under the name with `FOLD` at the end. The trial's metrics hold
the mean over all folds under the metric's name, and its standard error beside it, see
`satisfice.spec.standard_error`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import escape
from typing import Any

from optuna.trial import TrialState

from satisfice.spec.constraint import Constraint, violations
from satisfice.spec.metric import quantities_of

__all__ = ["FOLD", "TrialRecord", "TrialState", "fold_scores", "report_of"]

FOLD = ".fold"


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial, read from the storage.

    The life of a state: WAITING (enqueued, or given back by a preempted worker) -> RUNNING -> COMPLETE,
    PRUNED (stopped midway, diverged, or found not to fit after fitting) or FAIL (its code raised, or three
    deaths).
    """

    number: int
    state: TrialState
    params: Mapping[str, Any]  # active parameters only
    metrics: Mapping[str, float] = field(default_factory=dict)  # all recorded, in the units the study names
    estimated: frozenset[str] = frozenset()  # metrics that were computed from something else, not measured
    # by metric, of its value; of size and the like, which are exact, there is none
    standard_errors: Mapping[str, float] = field(default_factory=dict)
    violations: Mapping[str, float] = field(default_factory=dict)  # by constraint key; satisfied if <= 0
    feasible: bool | None = None  # None: not every constraint is known yet
    reports: Mapping[int, Mapping[str, float]] = field(
        default_factory=dict
    )  # by step; empty unless asked for
    steps: int = 0  # last reported step
    reason: str | None = None  # why it was pruned or failed: "diverged", "dominated at step 9", ...
    proposal: Mapping[str, Any] = field(default_factory=dict)  # why it was proposed, JSON-able
    seed: int = 0
    replicate_of: int | None = None  # number of the trial that it repeats with another seed
    attempts: int = 1
    started_at: datetime | None = None  # UTC
    finished_at: datetime | None = None  # UTC
    worker: str | None = None
    measured_on: str | None = None  # fingerprint of the host that measured latency
    folds: int | None = None  # its scores are means over so many; None: it is validated on one split
    pending: bool = False  # trained and told; a worker of the measuring host class has yet to time it

    def label(self, metric: str) -> str:
        """A metric's name as people are shown it: one that is not measured says so."""
        quantities = quantities_of(self.estimated)
        return f"{metric} (estimated)" if quantities_of([metric]) & quantities else metric

    @property
    def fold_scores(self) -> dict[str, tuple[float, ...]]:
        """Each metric's values on the folds, in their order; empty without folds, and without reports."""
        return fold_scores(self.reports)

    def judged_by(self, constraints: Iterable[Constraint]) -> TrialRecord:
        """The record with the violations that follow from its metrics; `feasible` stays as it was stored."""
        return replace(self, violations=violations(constraints, self.metrics))

    def __repr__(self) -> str:
        """What a person asks for first; the other fields are there by name."""
        shown = {"params": dict(self.params), "metrics": dict(self.metrics), "feasible": self.feasible}
        fields = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"TrialRecord(number={self.number}, state={self.state.name}, {fields})"

    def _repr_html_(self) -> str:
        """The trial as a notebook shows it: metrics, then parameters."""
        head = f"trial {self.number}, {self.state.name}"
        if self.feasible is not None:
            head += ", fits" if self.feasible else ", does not fit"
        rows = [*((name, f"{v:.6g}") for name, v in self.metrics.items()), *self.params.items()]
        return html_table(head, rows)


def html_table(head: str, rows: Iterable[tuple[str, Any]]) -> str:
    """A table of names and values for a notebook; whatever they hold is shown as text."""
    lines = "".join(
        f"<tr><th style='text-align:left'>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f"<table><caption style='text-align:left'>{escape(head)}</caption>{lines}</table>"


def fold_scores(reports: Mapping[int, Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """Each metric's values on the folds that a trial has reported, in their order.

    >>> fold_scores({1: {"f1": 0.5, "f1.fold": 0.5}, 2: {"f1": 0.75, "f1.fold": 1.0}})
    {'f1': (0.5, 1.0)}
    """
    found: dict[str, list[float]] = {}
    for step in sorted(reports):
        for name, value in reports[step].items():
            if name.endswith(FOLD):
                found.setdefault(name.removesuffix(FOLD), []).append(value)
    return {name: tuple(values) for name, values in found.items()}


def report_of(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What is reported after the last of these folds, given the metrics of each.

    >>> report_of([{"f1": 0.5}, {"f1": 1.0}])
    {'f1': 0.75, 'f1.fold': 1.0}
    """
    last = folds[-1]
    means = {name: sum(each[name] for each in folds) / len(folds) for name in last}
    return means | {name + FOLD: value for name, value in last.items()}
