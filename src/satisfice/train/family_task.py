"""What the tasks of all built-in families share: a family bound to a study and its data."""

from __future__ import annotations

import copy
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from satisfice.data import ColumnNote, Splits
from satisfice.measure.memory import peak_resident
from satisfice.ship.model import ShippedModel
from satisfice.ship.safetensors_file import Header, header_of
from satisfice.spec.metric import convert
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.family_checks import check_against
from satisfice.spec.task import Params, Reload, TrainingTrial
from satisfice.train.scoring import Scoring
from satisfice.train.shipped_file import SafetensorsFile, ShippedFile
from satisfice.train.study_data import StudyData, few_rows
from satisfice.train.timed_calls import TimedCalls
from satisfice.train.trainer import Trainer


class FamilyTask(ABC):
    """A family bound to a study's data.

    ``params`` are always a trial's active search parameters; values that the study fixes and the family's
    defaults are added here.

    Attributes:
        trainer: The family.
        spec: The study.
        file: The file that ships: its length, bytes and calls.
        splits: The prepared data.
        scoring: Scores of models on them.
        calls: What is timed.
    """

    libraries: tuple[str, ...] = ()  # that predicting with a loaded model imports, beside the file's own
    file: ShippedFile = SafetensorsFile()

    def __init__(self, trainer: Trainer, spec: StudySpec) -> None:
        assert spec.model is not None
        self.trainer = trainer
        self.spec = spec
        self._fixed = dict(spec.model.fixed)
        self._data = StudyData(spec, trainer.family, trainer.kinds)

    @cached_property
    def splits(self) -> Splits:
        """The prepared data, loaded on first use.

        Raises:
            DataError: They cannot be loaded, or are not what the family learns from.
        """
        return self._data.splits

    @property
    def scoring(self) -> Scoring:
        """Scores on the prepared data."""
        return Scoring(self.splits)

    @property
    def calls(self) -> TimedCalls:
        """Calls whose latency is measured."""
        return TimedCalls(self, self.file, self.splits)

    @property
    def data_notes(self) -> Sequence[ColumnNote]:
        """Columns and values of the data that are not simply used as they stand."""
        return self.splits.notes

    def prepare(self) -> None:
        """Load the data, and check the study against what they turn out to be.

        Raises:
            DataError: They cannot be loaded, or are not what the family learns from.
            SpecError: A metric does not go with them.
        """
        check_against(self.spec, self.trainer, self.splits.task)

    def on_few_rows(self) -> Self:
        """The same task with little to train on, for a first try."""
        small = copy.copy(self)
        small.splits = few_rows(self.splits)
        return small

    def defaults(self) -> dict[str, Any]:
        """The family's defaults for every hyperparameter."""
        return {name: h.default for name, h in self.trainer.hyperparameters.items()}

    def values(self, params: Params) -> dict[str, Any]:
        """A value for every hyperparameter."""
        return {**self.defaults(), **self._fixed, **params}

    def architecture(self, params: Params) -> dict[str, Any]:
        """The hyperparameters that size and latency depend on, with their values: equal for equal models."""
        values, known = self.values(params), self.trainer.hyperparameters
        if not self.spec.canonical:
            return {name: values[name] for name, h in known.items() if h.architecture}
        typed = {name: h.typed(values[name]) for name, h in known.items() if h.architecture}
        return self.canonical(typed)

    def canonical(self, architecture: Mapping[str, Any]) -> dict[str, Any]:
        """The one way in which architectures of equal models are written."""
        return dict(architecture)

    def structure(self, params: Params, model: Any = None) -> Any:
        """JSON content, equal for bare models that are equally fast."""
        return self.architecture(params)

    def measured_as(self, params: Params, quantity: str, model: Any = None) -> dict[str, Any]:
        """What a measured quantity depends on: the model, and preprocessing where that takes part."""
        preprocessor = self.splits.preprocessor
        found = {
            "family": self.trainer.family,
            "structure": self.structure(params, None if model is None else _bare(model)),
            "shape": list(preprocessor.shape),
            "outputs": self.splits.n_classes,
        }
        if quantity in ("pipeline_latency", "memory"):
            found["preprocessing"] = self._described
        return found

    @cached_property
    def _described(self) -> str:
        """The preprocessing, in short."""
        told = json.dumps(self.splits.preprocessor.describe(), sort_keys=True, default=str)
        return hashlib.sha256(told.encode()).hexdigest()

    def header(self, params: Params) -> Header:
        """All of the file that ships but the tensors."""
        return header_of(self.trainer.family, self.splits, self.architecture(params))

    @abstractmethod
    def arrays(self, core: Any) -> dict[str, NDArray[Any]]:
        """The tensors of a bare model, as they ship."""

    @abstractmethod
    def fit(self, params: Params, trial: TrainingTrial) -> dict[str, float]:
        """Train, report, save the model, and return its metrics."""

    def train(self, params: Params, trial: TrainingTrial) -> dict[str, float]:
        """Train, report, and return the metrics of the model that ships, on the validation split.

        Raises:
            Diverged: The loss is NaN or grows away from any solution.
        """
        # Libraries and data included: any machine that trains the model holds them too.
        with peak_resident() as peak:
            metrics = self.fit(params, trial)
        return metrics | self._convert({"train_memory_bytes": float(peak[0])})

    @abstractmethod
    def untrained(self, params: Params) -> Any:
        """A bare model as slow as a trained one, or None where that is known only after fitting."""

    def predictor(self, params: Params, model: Any = None, batch: int = 1) -> Callable[[], object] | None:
        """A call that predicts ``batch`` prepared items with ``model`` (None: an untrained one), if known."""
        core = self._core(params, model)
        return None if core is None else self.calls.predictor(params, core, batch)

    def reload(self, params: Params, model: Any, folder: Path, batch: int) -> Reload | None:
        """The file that ships, and the call that loads it and predicts ``batch`` items."""
        core = self._core(params, model)
        return None if core is None else self.file.reload(self, params, core, folder, batch)

    def pipeline(self, params: Params, model: Any = None) -> Callable[[], object] | None:
        """A call that takes one raw item through preprocessing and model, if that can be known."""
        core = self._core(params, model)
        return None if core is None else self.calls.pipeline(params, core)

    def native_call(self, core: Any, x: NDArray[np.float32]) -> Callable[[], object]:
        """A call that predicts prepared items with a bare model in the library that trained it."""
        return lambda: core(x)

    def save(self, params: Params, model: Any, path: Path) -> int:
        """Write the file that ships; returns its length in bytes."""
        return self.file.save(self, params, _bare(model), path)

    def load_model(self, params: Params, path: Path) -> ShippedModel:  # the file says all
        """The model that was saved there, ready to predict."""
        return self.file.load(path)

    def score_test(self, params: Params, model: Any) -> dict[str, float]:  # the seam's signature
        """Predictive metrics on the test split."""
        return self.scoring.on_test(model)

    def _finish(self, params: Params, core: Any, trial: TrainingTrial) -> dict[str, float]:
        """Score the model that ships, hand it to the trial, and say what it weighs."""
        metrics = self.scoring.of_winner(core)
        with TemporaryDirectory(prefix="satisfice-") as folder:
            path = Path(folder) / self.file.name
            size = self.save(params, core, path)
            trial.save_model(path)
        return metrics | self._convert({"size_bytes": float(size)})

    def _convert(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """With the units that the study names."""
        return convert(metrics, self.spec.metric_names)

    def _core(self, params: Params, model: Any) -> Any:
        """The bare model, else an untrained one; None where that is known only after fitting."""
        return self.untrained(params) if model is None else _bare(model)


def _bare(model: Any) -> Any:
    return model.core if isinstance(model, ShippedModel) else model
