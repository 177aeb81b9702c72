"""What trains a configuration: a built-in family or a person's own code. All but ``train`` is optional."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from satisfice.spec.influences import Influences

Params = Mapping[str, Any]


class TrainingTrial(Protocol):
    """What a task sees of the trial it trains."""

    number: int
    params: Mapping[str, Any]  # active parameters only
    seed: int  # of this trial's own random stream; the same whenever the trial is taken up again
    max_epochs: int | None  # `epochs` of the budget
    threads: int  # CPU threads this worker may use

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Report metrics after ``step`` epochs (1-based). Renews the lease."""

    def should_prune(self) -> bool:
        """Whether to stop here. The trial is then PRUNED, and what it reported is kept."""

    def keep_alive(self) -> None:
        """Renew the lease, for long stretches without a report."""

    def batch_end(self) -> None:
        """Call between batches: cheap, and lets a latency measurement have the host's quiet for a moment."""

    def save_checkpoint(self, state: Any) -> None:
        """Keep a state to go on from: a path, bytes, or tensors, numbers, strings, dicts and lists."""

    def load_checkpoint(self) -> Any:
        """The state last saved (a path if a path was saved), or None."""

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        """Keep the model that scored (a torch module or state dict, or a path) as the trial's artefact.

        ``weights`` is a file with the trained weights, kept beside a model of another format.
        """

    def save_influences(self, influences: Influences) -> None:
        """Keep what each scored row did to the metrics, so that trials are compared on the same rows."""


class Task(Protocol):
    """Own training code, or a built-in family bound to its data. Only ``train`` is required."""

    def train(self, params: Params, trial: TrainingTrial) -> Mapping[str, float]:
        """Train, report, and return the final metrics."""


@runtime_checkable
class Prepares(Protocol):
    """A family bound to data, which can be refused before anything is stored. Asked of families only."""

    def prepare(self) -> None:
        """Load the data, and check that the study goes with them.

        Raises:
            InputError: The data cannot be used, or a metric of the study does not go with them.
        """


@runtime_checkable
class Profiles(Protocol):
    """A task that knows some metrics without training."""

    def profile(self, params: Params) -> Mapping[str, float]:
        """Metrics known without training, exact. Called before any training, about 1 ms."""


@runtime_checkable
class Bounds(Protocol):
    """A task that can bound metrics which it only knows after fitting (trees, forests)."""

    def bounds(self, params: Params) -> Mapping[str, tuple[float, float]]:
        """Lower and upper bound by metric name. A constraint is decided where the bound already decides."""


@runtime_checkable
class BuildsModule(Protocol):
    """A task whose model is a torch module: its size is known and its latency measured before training."""

    def build(self, params: Params) -> torch.nn.Module:
        """The untrained module."""

    def example_input(self, params: Params) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """One item (batch of one), as the module takes it."""


@runtime_checkable
class Predicts(Protocol):
    """A task that hands out what is timed: one item through the model, or through the file that ships."""

    def predictor(self, params: Params, model: Any = None) -> Callable[[], object] | None:
        """A call that predicts one item with ``model`` (None: an untrained one).

        None where this is known only after fitting.
        """

    def architecture(self, params: Params) -> Mapping[str, Any]:
        """The parameters that size and latency depend on, with values; equal means equal architecture."""


@runtime_checkable
class Shrinks(Protocol):
    """A task that can be tried on a few rows. The built-in families can."""

    def on_few_rows(self) -> Task:
        """The same task with little to train on."""


@runtime_checkable
class Identifies(Protocol):
    """A task that says itself what a measured quantity depends on. The built-in families do."""

    def measured_as(self, params: Params, quantity: str, model: Any = None) -> Mapping[str, Any]:
        """JSON content, equal for models that are equally fast (of which ``model`` is fitted, or None)."""


class Teacher(Protocol):
    """A finished model that another one learns from: what `satisfice.ship.model.ShippedModel` is."""

    @property
    def header(self) -> Any:
        """With ``task``, ``classes`` and ``preprocessor``."""

    def outputs(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, k), or values (n,) in the target's unit, for prepared items."""


@runtime_checkable
class LearnsFromTeachers(Protocol):
    """A task whose models may learn from finished trials of other studies. The torch families can."""

    @property
    def missing_teachers(self) -> tuple[str, ...]:
        """Names ("study-name/12") of those that it has yet to be given before it trains.

        Raises:
            SpecError: The study distils without a teacher, or names one and never distils.
        """

    def set_teacher(self, name: str, model: Teacher) -> None:
        """Hand one over.

        Raises:
            InputError: It learnt something else than this study's data.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Reload:
    """How a fresh process comes by a call that predicts, so that its memory can be measured."""

    entry: str  # "module:function"; called with the options it returns the call
    options: Mapping[str, Any]  # JSON content
    imports: tuple[str, ...] = ()  # modules that the call needs and that are not the model's own
    path: tuple[str, ...] = ()  # folders in which modules are looked for first


@runtime_checkable
class Reloads(Protocol):
    """A task whose model another process can load: the memory of prediction is measured there."""

    def reload(self, params: Params, model: Any, folder: Path, batch: int) -> Reload | None:
        """Write ``model`` (None: an untrained one) into ``folder``, and say how it is loaded from there.

        None where this is possible only after fitting.
        """


@runtime_checkable
class ScoresTest(Protocol):
    """A task with a test split that is scored once, for the chosen model."""

    def load_model(self, params: Params, path: Path) -> Any:
        """The model saved at ``path``, ready to predict."""

    def score_test(self, params: Params, model: Any) -> Mapping[str, float]:
        """Metrics on the test split."""


@runtime_checkable
class HasDefaults(Protocol):
    """A task with a default configuration, trained first."""

    def defaults(self) -> Mapping[str, Any]:
        """Hyperparameter values that a practitioner would start with; clipped to the space."""
