"""What is known of a trial, as everyone reads it: search, choice, reports, JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import escape
from typing import Any

from optuna.trial import TrialState

from satisfice.spec.constraint import Constraint, violations
from satisfice.spec.metric import quantities_of

__all__ = ["TrialRecord", "TrialState"]


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
    pending: bool = False  # trained and told; a worker of the measuring host class has yet to time it

    def label(self, metric: str) -> str:
        """A metric's name as people are shown it: one that is not measured says so."""
        quantities = quantities_of(self.estimated)
        return f"{metric} (estimated)" if quantities_of([metric]) & quantities else metric

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
