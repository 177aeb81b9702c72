"""What the tasks of all built-in families share: data, hyperparameter values, the shipped file, scores."""

from __future__ import annotations

import copy
import hashlib
import json
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from satisfice.data import ColumnNote, Fold, Splits, dataset_of, fingerprint, load
from satisfice.errors import DataError
from satisfice.measure.memory import peak_resident
from satisfice.ship import safetensors_file as shipping
from satisfice.ship.model import ShippedModel, predict
from satisfice.spec.metric import METRICS, convert
from satisfice.spec.study import DataSpec, StudySpec
from satisfice.spec.study_file.family_checks import check_against
from satisfice.spec.task import Params, Reload, TrainingTrial
from satisfice.train.loading import load as load_shipped
from satisfice.train.score import score
from satisfice.train.trainer import Trainer

_FEW_ROWS = 256  # of a fold, for a first try
_MOST_CACHED = 4  # prepared data sets kept in one process

_cache: OrderedDict[tuple[str, int], Splits] = OrderedDict()


def load_cached(spec: DataSpec, base_dir: Path, seed: int) -> Splits:
    """The prepared data; read once per process. A file is read again when its content has changed."""
    key = (repr(spec) if spec.file is None else fingerprint(spec, base_dir), seed)
    if key not in _cache:
        _cache[key] = load(spec, base_dir, seed)
        while len(_cache) > _MOST_CACHED:
            _cache.popitem(last=False)
    return _cache[key]


class FamilyTask(ABC):
    """A family bound to a study's data.

    ``params`` are always a trial's active search parameters; values that the study fixes and the family's
    defaults are added here.
    """

    libraries: tuple[str, ...] = ("safetensors.numpy",)  # that loading a model imports

    def __init__(self, trainer: Trainer, spec: StudySpec) -> None:
        assert spec.data is not None
        assert spec.model is not None
        self.trainer = trainer
        self.spec = spec
        self._data: DataSpec = spec.data
        self._fixed = dict(spec.model.fixed)
        self._splits: Splits | None = None
        self._refuse_unfit_data()

    @property
    def splits(self) -> Splits:
        """The prepared data, loaded on first use.

        Raises:
            DataError: They cannot be loaded, or are not what the family learns from.
        """
        if self._splits is None:
            splits = load_cached(self._data, self.spec.base_dir, self.spec.seed)
            self._refuse_kind(splits.kind)
            self._splits = splits
        return self._splits

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
        splits, small = self.splits, copy.copy(self)
        few = replace(splits, train=_few(splits.train), valid=_few(splits.valid))
        small._splits = few  # noqa: SLF001  # of its own kind
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
            "structure": self.structure(params, None if model is None else _core(model)),
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

    def header(self, params: Params) -> shipping.Header:
        """All of the file that ships but the tensors."""
        return shipping.header_of(self.trainer.family, self.splits, self.architecture(params))

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
        core = self.untrained(params) if model is None else _core(model)
        if core is None:
            return None
        x = np.ascontiguousarray(np.resize(self.splits.valid.x[:1], (batch, *self.splits.valid.x.shape[1:])))
        return self._call(core, x)

    def reload(self, params: Params, model: Any, folder: Path, batch: int) -> Reload | None:
        """The file that ships, and the call that loads it and predicts ``batch`` items."""
        core = self.untrained(params) if model is None else _core(model)
        if core is None:
            return None
        path = folder / "model.safetensors"
        self.save(params, core, path)
        return Reload(
            entry="satisfice.train.loading:exercise",
            options={"path": str(path), "batch": batch},
            imports=self.libraries,
        )

    def pipeline(self, params: Params, model: Any = None) -> Callable[[], object] | None:
        """A call that takes one raw item through preprocessing and model, if that can be known."""
        core = self.untrained(params) if model is None else _core(model)
        if core is None:
            return None
        preprocessor, item = self.splits.preprocessor, self.splits.raw_item.items

        def call() -> object:
            return self._call(core, preprocessor.transform(item))()  # type: ignore[arg-type]  # of the matching kind

        return call

    def _call(self, core: Any, x: NDArray[np.float32]) -> Callable[[], object]:
        return lambda: core(x)

    def save(self, params: Params, model: Any, path: Path) -> int:
        """Write the file that ships; returns its length in bytes."""
        return shipping.write(self.header(params), self.arrays(_core(model)), path)

    def load_model(self, params: Params, path: Path) -> ShippedModel:  # the file says all
        """The model that was saved there, ready to predict."""
        return load_shipped(path)

    def score_test(self, params: Params, model: Any) -> dict[str, float]:  # the seam's signature
        """Predictive metrics on the test split.

        A model from a file prepares the rows itself, as it will where it is used.
        """
        if isinstance(model, ShippedModel):
            x = model.header.preprocessor.transform(self.splits.raw_test.items)  # type: ignore[arg-type]  # of the matching kind
            return score(self.splits.task, self.splits.test.y, model.outputs(x))
        return self._score(model, self.splits.test)

    def _score(self, core: Any, fold: Fold) -> dict[str, float]:
        return self._score_output(predict(core, fold.x, classify=self.splits.target is None), fold)

    def _score_output(self, out: NDArray[Any], fold: Fold) -> dict[str, float]:
        """The metrics of a bare model's outputs for a fold: probabilities, or standardised values."""
        target = self.splits.target
        return score(self.splits.task, fold.y, out if target is None else target.restore(out))

    def _finish(self, params: Params, core: Any, trial: TrainingTrial) -> dict[str, float]:
        """Score the model that ships, hand it to the trial, and say what it weighs."""
        metrics = self._score(core, self.splits.valid)
        main = main_metric(self.splits.task)
        metrics["generalization_gap"] = self._score(core, self.splits.train)[main] - metrics[main]
        with TemporaryDirectory(prefix="satisfice-") as folder:
            path = Path(folder) / "model.safetensors"
            size = self.save(params, core, path)
            trial.save_model(path)
        return metrics | self._convert({"size_bytes": float(size)})

    def _convert(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """With the units that the study names."""
        return convert(metrics, self.spec.metric_names)

    def _refuse_unfit_data(self) -> None:
        dataset = dataset_of(self._data)
        if dataset is not None:
            self._refuse_kind(dataset.kind)
        elif "table" not in self.trainer.kinds:
            self._refuse_kind("table")

    def _refuse_kind(self, kind: str) -> None:
        if kind not in self.trainer.kinds:
            name = self._data.name or self._data.file
            raise DataError(
                f"model.family: {self.trainer.family} cannot learn from {name}, which is a {kind}",
                hint="choose mlp, linear, forest or boosting",
            )


def _few(fold: Fold) -> Fold:
    """The first rows, and the first two of every class."""
    if len(fold) <= _FEW_ROWS:
        return fold
    rows = set(range(_FEW_ROWS))
    if fold.y.dtype.kind == "i":
        rows |= {int(row) for code in np.unique(fold.y) for row in np.flatnonzero(fold.y == code)[:2]}
    chosen = sorted(rows)
    return Fold(x=fold.x[chosen], y=fold.y[chosen], z=fold.z[chosen])


def main_metric(task: str) -> str:
    """The score that `generalization_gap` and `epochs_to_target` are about."""
    return "accuracy" if task == "classification" else "r2"


def monitored(spec: StudySpec, task: str) -> tuple[str, float]:
    """The metric by which a training's best epoch is chosen, and the factor that makes it one to maximise.

    It is the study's first objective that is a predictive metric of the task, else `main_metric`.
    """
    for objective in spec.objectives:
        metric = METRICS.get(objective.metric)
        if metric is not None and metric.task == task:
            return metric.name, 1.0 if objective.direction == "maximize" else -1.0
    return main_metric(task), 1.0


def _core(model: Any) -> Any:
    return model.core if isinstance(model, ShippedModel) else model
