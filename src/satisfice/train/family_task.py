"""What the tasks of all built-in families share: a family bound to a study and its data."""

from __future__ import annotations

import copy
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from satisfice.data import ColumnNote, Fold, Preprocessor, Splits, TableEncoder, fold_of
from satisfice.data.features.shape import STANDARD
from satisfice.errors import InputError, SpecError
from satisfice.measure import EnergyUse, energy_use
from satisfice.measure.memory import peak_allocated, peak_resident
from satisfice.ship import runtime
from satisfice.ship.onnx_file import CoreWriter, Options
from satisfice.ship.safetensors_file import Header, header_of
from satisfice.spec.metric import as_estimated, convert, quantities_of
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.family_checks import check_against
from satisfice.spec.task import Params, Reload, TrainingTrial
from satisfice.train.answer_rule import EVEN, AnswerRule, check_two_classes
from satisfice.train.files.fold_feeds import Feeds, FoldFeeds
from satisfice.train.files.onnx_model import OnnxModel
from satisfice.train.files.onnx_shipped import OnnxFile
from satisfice.train.files.shipped_file import SafetensorsFile, ShippedFile, bare
from satisfice.train.folds.cross_validation import CrossValidation
from satisfice.train.hyperparameter import AUTO, COMPRESSION, SCALING, SELECT, THRESHOLD, written
from satisfice.train.preparing.idle import check_searched
from satisfice.train.preparing.prepared import PreparedData, check_tables, check_texts
from satisfice.train.preparing.study_data import StudyData, few_rows
from satisfice.train.score import score_answers
from satisfice.train.scoring import ScoredRows, Scoring
from satisfice.train.text_hyperparameters import TEXT
from satisfice.train.trainer import Trained, Trainer

_JOULES_OF_A_WATT_HOUR = 3600
_OF_THE_FILE = (COMPRESSION, SCALING, SELECT)  # the bare model is the same with them


class FamilyTask(ABC):
    """A family bound to a study's data.

    ``params`` are always a trial's active search parameters; values that the study fixes and the family's
    defaults are added here.

    Attributes:
        trainer: The family.
        spec: The study.
        file: The file that ships: its length, bytes and calls.
        splits: The prepared data.
    """

    libraries: tuple[str, ...] = ()  # that predicting with a loaded model of the family imports

    def __init__(self, trainer: Trainer, spec: StudySpec) -> None:
        assert spec.model is not None
        self.trainer = trainer
        self.spec = spec
        self._fixed = dict(spec.model.fixed)
        self._data = StudyData(spec, trainer.family, trainer.kinds)
        self._folds = spec.folds  # None also of the task on one fold
        self._on_fold: dict[int, Self] = {}
        self._weights = SafetensorsFile(self.libraries)
        self.file: ShippedFile = OnnxFile() if spec.ship.format == "onnx" else self._weights

    @property
    def _timed(self) -> ShippedFile:
        """What is timed: the file itself, or the library that trained the model."""
        trained = self.spec.measure.runtime == "torch" and isinstance(self.file, OnnxFile)
        return self._weights if trained else self.file

    @cached_property
    def splits(self) -> Splits:
        """The prepared data, loaded on first use.

        Raises:
            DataError: They cannot be loaded, or are not what the family learns from.
        """
        return self._data.splits

    @cached_property
    def _prepared(self) -> PreparedData:
        return PreparedData(self.splits, self.spec.seed)

    def splits_of(self, params: Params) -> Splits:
        """The data as a configuration prepares them; the same as `splits` by default."""
        return self._prepared.splits(self.values(params))

    def preprocessor(self, params: Params) -> Preprocessor:
        """What prepares a configuration's items; cheap, so that sizes can be computed."""
        return self._prepared.preprocessor(self.values(params))

    def inputs(self, params: Params) -> dict[str, float]:
        """``n_features``: source columns that the file asks for; of images the pixels over all channels."""
        preprocessor = self.preprocessor(params)
        if isinstance(preprocessor, TableEncoder):
            return {"n_features": float(len(preprocessor.source_columns))}
        return {"n_features": float(preprocessor.n_features)}

    def answer_rule(self, params: Params) -> AnswerRule:
        """How the configuration's models answer."""
        threshold = self.values(params).get(THRESHOLD, EVEN)
        return AnswerRule(spec=self.spec, splits=self.splits, threshold=threshold)

    def scoring(self, params: Params) -> Scoring:
        """Scores on the prepared data."""
        return Scoring(self.splits_of(params), self.answer_rule(params))

    @cached_property
    def feeds(self) -> FoldFeeds:
        """The data as inputs of an ONNX file."""
        return FoldFeeds(self.splits)

    def feeds_of(self, params: Params) -> FoldFeeds:
        """The same for a configuration's models, which may take images of another size."""
        return self._prepared.feeds(self.values(params)) or self.feeds

    @property
    def threads(self) -> int:
        """Threads of the runtime while a call is timed."""
        return self.spec.measure.threads

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
        check_two_classes(self.spec, self.splits)
        check_tables(self.spec, self.splits)
        check_texts(self.spec, self.splits)
        check_searched(self.spec, self.splits)
        if self._folds is not None and type(self).learn is FamilyTask.learn:
            raise self._refused_folds(
                f"does not go with the family {self.trainer.family}, which has no `learn`"
            )
        for fold in range(self._folds or 0):
            self.on_fold(fold)

    def _refused_folds(self, why: str) -> SpecError:
        source = self.spec.source
        file = str(source) if source is not None and source.is_file() else None
        return SpecError(why, key="data.folds", file=file, hint="remove folds")

    def on_few_rows(self) -> Self:
        """The same task with little to train on, for a first try; of several folds, on the first one."""
        whole = self if self._folds is None else self.on_fold(0)
        return whole._with(few_rows(whole.splits))  # noqa: SLF001  # of its own class

    def on_fold(self, fold: int) -> Self:
        """The same task on the data of one fold of the cross-validation, from 0 on."""
        if fold not in self._on_fold:
            part = self._with(fold_of(self.splits, fold))
            part._folds, part._on_fold = None, {}  # noqa: SLF001  # of its own class
            self._on_fold[fold] = part
        return self._on_fold[fold]

    def _with(self, splits: Splits) -> Self:
        """The same task on other rows."""
        other = copy.copy(self)
        other.splits = splits
        for name in ("feeds", "_prepared"):
            other.__dict__.pop(name, None)
        return other

    def defaults(self) -> dict[str, Any]:
        """The family's defaults for every hyperparameter."""
        return {name: h.default for name, h in self.trainer.hyperparameters.items()}

    def values(self, params: Params) -> dict[str, Any]:
        """A value for every hyperparameter."""
        return {**self.defaults(), **self._fixed, **params}

    def architecture(self, params: Params) -> dict[str, Any]:
        """The hyperparameters that size and latency depend on, with their values: equal for equal models."""
        compressed = self.spec.ship.format == "onnx" and COMPRESSION in self.trainer.hyperparameters
        values = self.values(params)
        scaling = values.get(SCALING, STANDARD)
        k = self._prepared.selected(values) if values.get(SELECT, 0) else 0
        return (
            self._of_the_model(params)
            | ({COMPRESSION: values[COMPRESSION]} if compressed else {})
            | ({SCALING: scaling} if scaling != STANDARD else {})
            | ({SELECT: k} if k else {})
        )

    def _of_the_model(self, params: Params) -> dict[str, Any]:
        """The architecture of the bare model, however its numbers are stored."""
        values, known = self.values(params), self.trainer.hyperparameters
        of = {name: h for name, h in known.items() if h.architecture and name not in _OF_THE_FILE}
        if TEXT.keys() & of.keys() and self.splits.corpus is None:  # they decide nothing then
            of = {name: h for name, h in of.items() if name not in TEXT}
        if not self.spec.canonical:
            return written(known, {name: values[name] for name in of})
        return written(known, self.canonical({name: h.typed(values[name]) for name, h in of.items()}))

    def canonical(self, architecture: Mapping[str, Any]) -> dict[str, Any]:
        """The one way in which architectures of equal models are written."""
        return dict(architecture)

    def structure(self, params: Params, model: Any = None) -> Any:
        """JSON content, equal for bare models that are equally fast."""
        return self.architecture(params)

    def measured_as(self, params: Params, quantity: str, model: Any = None) -> dict[str, Any]:
        """What a measured quantity depends on: the model, and preprocessing where that takes part."""
        preprocessor = self.preprocessor(params)
        found = {
            "family": self.trainer.family,
            "structure": self._structure(params, model),
            "shape": list(preprocessor.shape),
            "outputs": self.splits.n_classes,
        }
        in_runtime = isinstance(self._timed, OnnxFile)
        if quantity in ("pipeline_latency", "memory") or in_runtime:
            found["preprocessing"] = _described(preprocessor)
        if in_runtime:
            options = self.options(params)
            found["runtime"] = f"onnxruntime {runtime.version()}"
            found["precision"] = options.precision
            found["decides"] = options.threshold is not None
        return found

    def _structure(self, params: Params, model: Any) -> Any:
        if isinstance(model, OnnxModel):
            # A file that was known before training is as fast as the untrained one.
            known = self.writer().blank_arrays(self.header(params)) is not None
            return self.structure(params) if known else model.digest
        return self.structure(params, None if model is None else bare(model))

    def header(self, params: Params) -> Header:
        """All of the model but its tensors."""
        return header_of(
            self.trainer.family, self.splits, self._of_the_model(params), self.preprocessor(params)
        )

    def writer(self) -> CoreWriter:
        """What writes the bare model into an ONNX graph.

        Raises:
            InputError: The family has nothing that does.
        """
        trainer: object = self.trainer
        if not isinstance(trainer, CoreWriter):
            raise InputError(f"a model of the family {self.trainer.family} cannot be written as ONNX")
        return trainer

    def options(self, params: Params, threshold: float | None = None) -> Options:
        """How the ONNX file is written.

        Args:
            params: The configuration.
            threshold: Fitted at the end of a training. A file that is measured before takes any: the length
                is the same.
        """
        values = self.values(params)
        asked = values.get(THRESHOLD, EVEN)
        if asked == AUTO:
            asked = EVEN if threshold is None else threshold
        return Options(
            precision=values[COMPRESSION],
            threshold=float(asked) if self._decides else None,
            byte_images=self.feeds.byte_images,
        )

    @cached_property
    def _decides(self) -> bool:
        """Whether any configuration of the study answers by another threshold than one half."""
        searched = THRESHOLD in self.spec.space.by_name
        return searched or self._fixed.get(THRESHOLD, EVEN) != EVEN

    @abstractmethod
    def arrays(self, core: Any) -> dict[str, NDArray[Any]]:
        """The tensors of a bare model, as they ship."""

    def learn(self, params: Params, trial: TrainingTrial, length: int | None = None) -> Trained:
        """Train and report; end early where the trial is to be pruned.

        Args:
            params: The configuration.
            trial: Its trial.
            length: Train for exactly so many epochs or rounds, whatever validation says: there is none then.

        Raises:
            Diverged: The loss is NaN or grows away from any solution.
        """
        raise NotImplementedError

    def fit(self, params: Params, trial: TrainingTrial) -> dict[str, float]:
        """Train, report, save the model, and return its metrics."""
        trained = self.learn(params, trial)
        if trained.core is None:
            return dict(trained.metrics)
        return {**trained.metrics, **self._finish(params, trained.core, trial)}

    def train(self, params: Params, trial: TrainingTrial) -> dict[str, float]:
        """Train, report, and return the metrics of the model that ships, on the validation split.

        Raises:
            Diverged: The loss is NaN or grows away from any solution.
        """
        # Libraries and data included: any machine that trains the model holds them too.
        with peak_resident() as peak, peak_allocated() as allocated, self._energy() as use:
            if self._folds is None:
                metrics = self.fit(params, trial)
            else:
                metrics = CrossValidation(self, params, trial, self._folds).run()
        found = {"train_memory_bytes": float(peak[0]), **self.inputs(params)}
        if allocated[0] > 0 and "train_gpu_memory_mb" in self.trainer.measures:
            found["train_gpu_memory_bytes"] = float(allocated[0])
        if use is None:
            return metrics | self._convert(found)
        found["train_energy_wh"] = use.joules / _JOULES_OF_A_WATT_HOUR
        told = as_estimated("train_energy_wh") if use.estimated else {}
        return metrics | self._convert(found) | told

    def _energy(self) -> AbstractContextManager[EnergyUse | None]:
        """What the training takes, where the study asks for it."""
        asked = "train_energy" in quantities_of(self.spec.metric_names)
        return energy_use(self.spec.measure.watts) if asked else nullcontext()

    @abstractmethod
    def untrained(self, params: Params) -> Any:
        """A bare model as slow as a trained one, or None where that is known only after fitting."""

    def predictor(self, params: Params, model: Any = None, batch: int = 1) -> Callable[[], object] | None:
        """A call of what is timed for ``batch`` items with ``model`` (None: an untrained one), if known."""
        return self._timed.call(self, params, model, batch)

    def reload(self, params: Params, model: Any, folder: Path, batch: int) -> Reload | None:
        """The file that ships, and the call that loads it and predicts ``batch`` items."""
        return self._timed.reload(self, params, model, folder, batch)

    def pipeline(self, params: Params, model: Any = None) -> Callable[[], object] | None:
        """A call that takes one raw item through preprocessing and model, if that can be known."""
        return self._timed.pipeline(self, params, model)

    def native_call(self, core: Any, x: NDArray[np.float32]) -> Callable[[], object]:
        """A call that predicts prepared items with a bare model in the library that trained it."""
        return lambda: core(x)

    def load_model(self, params: Params, path: Path) -> Any:  # the file says all
        """The model that was saved there: the file that ships, or trained weights ready to predict."""
        return (
            self.file.load(path) if path.suffix == Path(self.file.name).suffix else self._weights.load(path)
        )

    def score_test(self, params: Params, model: Any) -> dict[str, float]:  # the seam's signature
        """Predictive metrics on the test split, with their standard errors."""
        if isinstance(model, OnnxModel):
            return self._scored(params, model, self.feeds_of(params).test, self.splits.test).metrics
        return self.scoring(params).on_test(model)

    def _finish(self, params: Params, core: Any, trial: TrainingTrial) -> dict[str, float]:
        """Score the model that ships, hand it to the trial, and say what it weighs."""
        model, known = self.hand_over(params, core, trial)
        scored = self.scored_as_winner(params, model)
        if scored.influences is not None:
            trial.save_influences(scored.influences)
        return {**scored.metrics, **known}

    def hand_over(
        self, params: Params, core: Any, trial: TrainingTrial, threshold: float | None = None
    ) -> tuple[Any, dict[str, float]]:
        """Hand the file that ships to the trial; the file's model, and what is known of the file.

        Args:
            params: The configuration.
            core: The bare model.
            trial: That keeps the file.
            threshold: Decision threshold that was fitted elsewhere; None: it is fitted here, if one is to be.
        """
        with TemporaryDirectory(prefix="satisfice-") as folder:
            kept = self.file.keep(self, params, core, Path(folder), threshold)
            beside = {} if kept.weights is None else {"weights": kept.weights}
            trial.save_model(kept.file, **beside)
            size = float(kept.file.stat().st_size)
        return kept.model, {**kept.metrics, **self._convert({"size_bytes": size})}

    def _scored(self, params: Params, model: OnnxModel, feeds: Feeds, fold: Fold) -> ScoredRows:
        codes, outputs = model.answers(feeds, self.splits.classes)
        levels = self.answer_rule(params).levels
        return ScoredRows.on_rows(self.splits.task, fold.y, codes, outputs, levels, self.spec.seed)

    def scored_as_winner(self, params: Params, model: Any) -> ScoredRows:
        """The file's scores on the validation split, and how far those on the training split are ahead."""
        if not isinstance(model, OnnxModel):
            return self.scoring(params).of_winner(model)
        feeds = self.feeds_of(params)
        scored = self._scored(params, model, feeds.valid, self.splits.valid)
        codes, outputs = model.answers(feeds.train, self.splits.classes)
        train = score_answers(self.splits.task, self.splits.train.y, codes, outputs)
        metrics = scored.ahead_of(self.splits.task, train, len(self.splits.train.y))
        return replace(scored, metrics=metrics)

    def _convert(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """With the units that the study names."""
        return convert(metrics, self.spec.metric_names)


def _described(preprocessor: Preprocessor) -> str:
    """The preprocessing, in short."""
    told = json.dumps(preprocessor.describe(), sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()
