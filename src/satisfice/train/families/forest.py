"""The family ``forest``: random forests (Breiman 2001) by scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.errors import InputError
from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx_file import Core, flat
from satisfice.ship.safetensors_file import Header
from satisfice.spec.metric import Known
from satisfice.spec.study import StudySpec
from satisfice.spec.task import TrainingTrial
from satisfice.train.hyperparameter import Hyperparameter, Hyperparameters, of_tables, of_the_file
from satisfice.train.trainer import class_weights, measures
from satisfice.train.trees.ensemble import RawTrees, TreeEnsemble, join, pack
from satisfice.train.trees.export import LeafPrecision, add_trees
from satisfice.train.trees.task import Stage, TreeTask, at_most


class ForestTask(TreeTask):
    """A random forest on a study's data."""

    count = "trees"

    @property
    def leaf_numbers(self) -> int:
        """A probability for each class; of two, only the positive one's."""
        return self.splits.n_classes if self.splits.n_classes > 2 else 1

    def patience(self, values: Mapping[str, Any]) -> int:  # the seam's signature
        """More trees never make a forest overfit."""
        return 0

    def tree_counts(self, values: Mapping[str, Any]) -> tuple[int, int]:
        """Exactly as many as asked for."""
        return int(values["trees"]), int(values["trees"])

    def grow(
        self,
        values: Mapping[str, Any],
        trial: TrainingTrial,
        counts: list[int],
        sample: NDArray[np.float32],
    ) -> Iterator[Stage]:
        """Trees are added to those there are."""
        data = self.splits_of(values)
        x = data.train.x.reshape(len(data.train), -1)
        valid = data.valid.x.reshape(len(data.valid), -1)
        estimator = self._estimator(values, trial)
        rows = np.concatenate([valid, sample])
        total: NDArray[Any] | None = None
        grown: list[RawTrees] = []
        for count in counts:
            estimator.set_params(n_estimators=count)
            estimator.fit(x, data.train.z)
            for tree in estimator.estimators_[len(grown) :]:
                predicted = tree.predict_proba(rows) if data.n_classes else tree.predict(rows)
                total = predicted if total is None else total + predicted
                grown.append(self._raw(tree.tree_))
            assert total is not None
            mean = total / count
            yield Stage(
                trees=count,
                prediction=mean[: len(valid)],
                of_sample=mean[len(valid) :],
                pack=lambda: self._pack(grown, x.shape[1]),
            )

    def _estimator(self, values: Mapping[str, Any], trial: TrainingTrial) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # slow to import

        settings = {
            "max_depth": at_most(values["max_depth"]),
            "max_leaf_nodes": at_most(values["max_leaves"], least=2),
            "min_samples_leaf": int(values["min_samples_leaf"]),
            "max_features": float(values["max_features"]),
            "ccp_alpha": float(values["ccp_alpha"]),
            "random_state": trial.seed % 2**32,
            "n_jobs": max(trial.threads, 1),
            "warm_start": True,
        }
        if self.splits.task == "regression":
            return RandomForestRegressor(**settings)
        weights = class_weights(self.splits, values["class_weight"])
        return RandomForestClassifier(**settings, class_weight=weights)

    def _raw(self, tree: Any) -> RawTrees:
        """One fitted `sklearn.tree` structure."""
        value = np.asarray(tree.value[:, 0, :], np.float64)
        if self.splits.n_classes:
            value = value / value.sum(axis=1, keepdims=True)
            value = value[:, 1:] if self.splits.n_classes == 2 else value
        return RawTrees(
            left=np.asarray(tree.children_left, np.int64),
            right=np.asarray(tree.children_right, np.int64),
            feature=np.asarray(tree.feature, np.int64),
            threshold=np.asarray(tree.threshold, np.float64),
            value=value,
            roots=np.zeros(1, np.int64),
        )

    def _pack(self, grown: list[RawTrees], d: int) -> TreeEnsemble:
        classify = self.splits.n_classes > 0
        return pack(join(grown), d=d, base=np.zeros(1), boosted=False, classify=classify)


PRECISIONS = ("none", "uint8")

HYPERPARAMETERS: Hyperparameters = {
    "trees": Hyperparameter(
        kind="int", default=100, low=1, high=100_000, doc="Number of trees.", architecture=True
    ),
    "max_depth": Hyperparameter(
        kind="int",
        default=0,
        low=0,
        high=1000,
        doc="Depth of a tree at most; 0 for any.",
        architecture=True,
    ),
    "max_leaves": Hyperparameter(
        kind="int",
        default=0,
        low=0,
        high=10_000_000,
        doc="Leaves of a tree at most, best first; 0 for any, else at least 2.",
        architecture=True,
    ),
    "min_samples_leaf": Hyperparameter(
        kind="int",
        default=1,
        low=1,
        high=1_000_000,
        doc="Training rows in a leaf at least.",
        architecture=True,
    ),
    "max_features": Hyperparameter(
        kind="float",
        default=0.3,
        low=1e-6,
        high=1.0,
        doc="Share of the features that each split chooses from; at least one is.",
        architecture=True,
    ),
    "ccp_alpha": Hyperparameter(
        kind="float",
        default=0.0,
        low=0.0,
        high=1e12,
        doc="Strength of minimal cost-complexity pruning; for numbers, a share of the target's variance.",
        architecture=True,
    ),
    "class_weight": Hyperparameter(
        kind="categorical",
        default="none",
        choices=("none", "balanced"),
        doc="`balanced` gives every class the same weight; without effect on numbers.",
        architecture=True,
    ),
    **of_tables(scaled=False),
    **of_the_file(PRECISIONS),
}


class ForestTrainer:
    """The family ``forest``."""

    family = "forest"
    doc = "Random forest; reports ten times while it grows (scikit-learn)."
    tasks = frozenset({"classification", "regression"})
    kinds = frozenset({"table", "image"})
    precisions: tuple[str, ...] = PRECISIONS
    measures: Mapping[str, Known] = measures(
        size_known=Known.AFTER, counts=dict.fromkeys(("n_parameters", "n_leaves", "max_depth"), Known.AFTER)
    )
    hyperparameters = HYPERPARAMETERS

    def make_task(self, spec: StudySpec) -> ForestTask:
        """Bind to the study's data."""
        return ForestTask(self, spec)

    def restore(self, header: Header, arrays: Mapping[str, NDArray[Any]]) -> TreeEnsemble:
        """The forest that shipped."""
        return TreeEnsemble.restore(arrays, boosted=False, classify=header.task == "classification")

    def add_core(
        self,
        graph: Graph,
        x: str,
        header: Header,
        arrays: Mapping[str, NDArray[Any]],
        precision: str,
        items: NDArray[np.float32] | None,
    ) -> Core:
        """The trees, averaged; images are flat vectors.

        Raises:
            InputError: ``uint8`` is asked for a regression: its leaves hold numbers without bounds.
        """
        if precision == "uint8" and not header.classes:
            raise InputError("uint8 stores probabilities; this forest predicts numbers", hint="choose none")
        leaves: LeafPrecision = "uint8" if precision == "uint8" else "none"
        value = add_trees(graph, flat(graph, x, header), self.restore(header, arrays), leaves)
        return Core(value)

    def blank_arrays(self, header: Header) -> None:
        """The trees are known once they have grown."""


FOREST = ForestTrainer()
