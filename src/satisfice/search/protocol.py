"""The protocol between the study layer and search methods.

The study layer owns storage, budget, profiling and enqueued trials. Search sees a `SearchProblem`, a
`History` of trials, and a `Screen` that gives what is known of a configuration before training; it answers
with a `Proposal` or a `Decision`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from satisfice.registry import Registry
from satisfice.spec.constraint import Constraint
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Objective

if TYPE_CHECKING:
    from satisfice.search.history import History


@dataclass(frozen=True, kw_only=True)
class SearchProblem:
    """What search may know of a study."""

    space: SearchSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    screened: tuple[Constraint, ...] = ()  # further bounds by which screens refuse; no answer depends on them
    max_steps: int | None = None  # epochs of a full training; None: unknown, or no steps at all
    folds: int | None = None  # of a cross-validation: then they are the steps
    n_trials: int | None = None  # budget
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Screened:
    """What is known of a configuration before it is trained."""

    fits: bool  # False: some constraint is known to be violated
    metrics: Mapping[str, float] = field(default_factory=dict)  # exact
    violations: Mapping[str, float] = field(default_factory=dict)  # by constraint key, for those known


class Screen(Protocol):
    """The exact check before training. Counts what it turned away; exceptions pass through."""

    def __call__(self, params: Mapping[str, Any], /) -> Screened:
        """Check one configuration (active parameters only). May be costly: few calls, best first."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A configuration to train that passed the screen."""

    params: dict[str, Any]  # active parameters only
    metrics: Mapping[str, float]  # known before training
    why: Mapping[str, Any]  # JSON-able: method, kind (explore, exploit, start), expected_gain, screened, ...


class Sampler(Protocol):
    """Proposes what to train next: a function of the history's content, the generator, and nothing else.

    What the screen said earlier in the same process may be remembered to spare calls.
    """

    def propose(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        """The next configuration.

        Raises:
            NoFeasibleProposal: A bounded number of screenings found nothing that fits.
        """


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether to stop a trial, and why."""

    stop: bool
    reason: str = ""  # one clause, shown to people; also says why a trial goes on where that is informative


class Pruner(Protocol):
    """Decides at a few steps whether a running trial can still matter.

    Reads what is in the history only, so that every worker decides the same.
    """

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        """Whether `decide` may stop a trial after ``step`` (1-based)."""

    def decide(self, history: History, number: int) -> Decision:
        """Whether trial ``number`` should stop. The cost does not grow with the history."""


SAMPLERS: Registry[Callable[[SearchProblem], Sampler]] = Registry(
    "sampler",
    "satisfice.samplers",
    {
        "auto": "satisfice.search.auto.sampler:AutoSampler",
        "tpe": "satisfice.search.baselines.optuna_samplers:tpe",
        "nsga2": "satisfice.search.baselines.optuna_samplers:nsga2",
        "gp": "satisfice.search.baselines.optuna_gp:gp",
        "qmc": "satisfice.search.baselines.space_filling:QmcSampler",
        "random": "satisfice.search.baselines.space_filling:RandomSampler",
    },
)

PRUNERS: Registry[Callable[[SearchProblem], Pruner]] = Registry(
    "pruner",
    "satisfice.pruners",
    {
        "auto": "satisfice.search.pruners.choice:auto",
        "none": "satisfice.search.pruners.auto:NoPruner",
    },
)
