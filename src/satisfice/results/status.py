"""What `Study.status` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from satisfice.results.profiles import ProfileAnswer
from satisfice.results.result import Result
from satisfice.results.trial import TrialSummary
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import html_table


@dataclass(frozen=True, kw_only=True, eq=False)
class BudgetStatus(Result):
    """What a study may use, and what it has used."""

    trials: int
    used: int  # trials whose training began
    total_epochs: int | None  # None: no limit
    epochs_used: int | None  # used or promised to a running trial; None where there is no limit
    timeout_s: float | None  # seconds; None: no limit


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialInTraining(Result):
    """A trial in training."""

    number: int
    step: int  # last reported; 0 before the first report
    seconds: float | None  # since this attempt began; None where that is not recorded


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkerStatus(Result):
    """A worker that joined the study."""

    worker: str  # first eight characters of its UUID
    hostname: str
    pid: int
    label: str | None
    alive: bool  # it was heard of a short while ago, and has not ended
    ended: str | None  # why it ended
    trial: TrialInTraining | None  # that it trains


@dataclass(frozen=True, kw_only=True, eq=False)
class EndingGroup(Result):
    """Trials that ended early for the same reason."""

    kind: str  # "failed", "diverged" or "stopped early"
    trials: Sequence[int]  # their numbers
    sentence: str  # without a full stop


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts(Result):
    """What is counted without reading the trials; what ``progress`` of `Study.optimize` is called with."""

    name: str
    states: Mapping[str, int]  # trials by Optuna's name of their state
    budget: BudgetStatus
    pending: int  # trained trials whose latency a worker has yet to measure
    stopped: str | None  # the error of every trial, where trials that fail alike stopped the study
    waiting: str  # what ``pending`` trials wait for, a sentence; empty where there are none
    workers: int  # alive
    turned_away: int  # proposals that did not fit before training
    turned_away_by_constraint: Mapping[str, int]  # by constraint key
    elapsed_s: float | None  # seconds since the first worker began
    workers_detail: Sequence[WorkerStatus]  # in the order in which they joined
    running_elsewhere: Sequence[TrialInTraining]  # asked for by a program that is no worker
    spec_version: int  # 1 for a study that was never changed
    changes: Sequence[str]  # of the latest version, sentences


@dataclass(frozen=True, kw_only=True, eq=False)
class Status(Counts):
    """The counts, and what is told by reading the trials."""

    best: TrialSummary | None  # None: no complete trial fits
    endings: Sequence[EndingGroup]
    diagnosis: Mapping[str, int]  # trainings by what they show, see `Study.diagnose`
    profiles: Sequence[ProfileAnswer] = ()  # which trial answers each profile of the study


def study_html(spec: StudySpec, status: Status) -> str:
    """A study as a notebook shows it: question, counts, the best so far, each profile.

    Args:
        spec: The study.
        status: As it is now.
    """
    states = ", ".join(f"{count} {state}" for state, count in status.states.items() if count)
    rows = [
        ("objectives", ", ".join(f"{o.direction} {o.metric}" for o in spec.objectives)),
        ("constraints", ", ".join(c.key for c in spec.constraints) or "none"),
        ("budget", f"{status.budget.used} of {status.budget.trials} trials used"),
        ("trials", states or "none yet"),
        ("turned away", f"{status.turned_away} before training"),
    ]
    if status.best is not None:
        metrics = {
            name: status.best.metrics[name] for name in spec.metric_names if name in status.best.metrics
        }
        told = ", ".join(f"{name} {value:.6g}" for name, value in metrics.items())
        rows.append(("best so far", f"trial {status.best.number}: {told}"))
    rows += [(f"profile {each.profile}", each.sentence) for each in status.profiles]
    return html_table(f"study {status.name}", rows)
