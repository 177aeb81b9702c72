"""The protocol between the study layer and search methods.

The study layer owns storage, budget, profiling and enqueued trials. Search reads a `SearchProblem`, a
`History` of trials, and a `Screen` that returns the metrics known before training. A sampler returns a
`Proposal`, a pruner a `Decision`.
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
    """The parts of a study that samplers and pruners read."""

    space: SearchSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    screened: tuple[Constraint, ...] = ()  # further bounds that the screen checks
    max_steps: int | None = None  # epochs of a full training; None: unknown, or no steps at all
    folds: int | None = None  # folds of a cross-validation, which then are the steps
    n_trials: int | None = None  # budget
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Screened:
    """The answer of a screen: the metrics of a configuration that are known before training."""

    fits: bool  # False: some constraint is known to be violated
    metrics: Mapping[str, float] = field(default_factory=dict)  # exact
    violations: Mapping[str, float] = field(default_factory=dict)  # by constraint key, for those known


class Screen(Protocol):
    """Checks configurations before training, and counts those it turns away.

    Exceptions raised while a configuration is measured reach the caller.
    """

    def __call__(self, params: Mapping[str, Any], /) -> Screened:
        """Check one configuration, given by its active parameters.

        A call may build and measure a model, so a sampler should screen its best candidates first and few of
        them.
        """


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A configuration to train that passed the screen."""

    params: dict[str, Any]  # active parameters only
    metrics: Mapping[str, float]  # known before training
    why: Mapping[str, Any]  # JSON-able: method, kind (explore, exploit, start), expected_gain, screened, ...


class Sampler(Protocol):
    """Proposes the next configuration to train.

    A proposal depends only on the content of the history, the screen and the generator. A sampler may cache
    the answers of the screen within one process.
    """

    def propose(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        """Propose the next configuration.

        Args:
            history: All trials so far.
            screen: The check that the proposed configuration must pass.
            rng: Random generator.

        Returns:
            A proposal that passed the screen.

        Raises:
            NoFeasibleProposal: No configuration that fits was found within a bounded number of screenings.
        """


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether to stop a trial, and why."""

    stop: bool
    reason: str = ""  # one clause, shown in the report; may also explain why a trial continues


class Pruner(Protocol):
    """Decides at a few steps whether a running trial should stop.

    A decision depends only on the history, so all workers make the same one.
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
