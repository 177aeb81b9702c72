"""Values that workers and the ledger exchange: claims, enqueued configurations, outcomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.trial import TrialState

from satisfice.spec.influences import Influences

EXACT_KEY = "exact"  # in a stored proposal: integers that Optuna's column of floats does not hold, by name


class SpecMoved(Exception):  # not an error: the caller reads the new spec and repeats
    """The study's spec was changed; nothing was written. Read it again, then repeat."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A slot that this worker holds."""

    slot: int
    token: str
    seed: int
    attempt: int
    max_epochs: int | None
    number: int | None = None  # of the trial, if one was begun in this slot before
    trial_id: int | None = None
    last_step: int = 0
    in_queue: bool = False  # enqueued configurations wait
    reserved: int = 0  # epochs of the study's total that are promised to this slot
    revision: int = 0  # of the study, by the write that made this claim


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A trial begun in a slot."""

    trial_id: int  # Optuna's
    number: int
    revision: int  # of the study, by the write that began it


@dataclass(frozen=True, kw_only=True)
class Queued:
    """An enqueued configuration, perhaps partial."""

    position: int
    params: Mapping[str, Any]
    source: str
    replicate_of: int | None


@dataclass(frozen=True, kw_only=True)
class TurnedAway:
    """The proposals that one ask turned away before training."""

    proposals: int
    by_constraint: Mapping[str, int]
    examples: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial ended."""

    state: TrialState  # COMPLETE, PRUNED or FAIL
    values: Sequence[float] | None
    metrics: Mapping[str, float]  # with standard errors, of accuracy as "accuracy.se"
    constraints: Mapping[str, float]  # violation by constraint key, in the study's order
    feasible: bool | None
    reason: str | None = None
    traceback: str | None = None
    measured_on: str | None = None
    influences: Influences | None = None  # of the rows that a COMPLETE trial was scored on
    awaiting_timing: bool = False  # trained, but a worker of the measuring host class has yet to time it


def slot_seed(study_seed: int, slot: int) -> int:
    """Seed of a slot's own random stream, below 2**31 so that every library takes it."""
    return int(np.random.SeedSequence([study_seed & 0xFFFFFFFF, slot]).generate_state(1)[0] >> 1)


def dump(metrics: Mapping[str, float]) -> str:
    """Metrics as JSON. Infinities are written as Python's json module reads them."""
    return json.dumps({name: float(value) for name, value in metrics.items()})
