"""The family ``boosting``: gradient boosting on histograms (Ke et al. 2017) by scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.ship.onnx.decision import Link
from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx_file import Core, flat
from satisfice.ship.safetensors_file import Header
from satisfice.spec.metric import Known
from satisfice.spec.study import StudySpec
from satisfice.spec.task import TrainingTrial
from satisfice.train.hyperparameter import Hyperparameter, Hyperparameters, of_tables, of_the_file
from satisfice.train.trainer import class_weights, measures
from satisfice.train.trees.ensemble import RawTrees, TreeEnsemble, join, pack
from satisfice.train.trees.export import add_trees
from satisfice.train.trees.task import Stage, TreeTask, at_most


class BoostingTask(TreeTask):
    """Gradient boosting on a study's data."""

    count = "rounds"

    @property
    def base_numbers(self) -> int:
        """One for each class with a tree of its own."""
        return self.splits.n_classes if self.splits.n_classes > 2 else 1

    def patience(self, values: Mapping[str, Any]) -> int:
        """As asked for."""
        return int(values["patience"])

    def tree_counts(self, values: Mapping[str, Any]) -> tuple[int, int]:
        """With patience, a single round may be the best."""
        rounds = int(values["rounds"])
        return (1 if self.patience(values) else rounds) * self.base_numbers, rounds * self.base_numbers

    def grow(
        self,
        values: Mapping[str, Any],
        trial: TrainingTrial,
        counts: list[int],
        sample: NDArray[np.float32],
    ) -> Iterator[Stage]:
        """Rounds are added to those there are."""
        data = self.splits_of(values)
        x = data.train.x.reshape(len(data.train), -1)
        valid = data.valid.x.reshape(len(data.valid), -1)
        weights = class_weights(data, values["class_weight"])
        sample_weight = None if weights is None else np.array([weights[code] for code in data.train.y])
        estimator = self._estimator(values, trial)
        for count in counts:
            estimator.set_params(max_iter=count)
            estimator.fit(x, data.train.z, sample_weight=sample_weight)
            predict = estimator.predict_proba if data.n_classes else estimator.predict
            yield Stage(
                trees=count,
                prediction=predict(valid),
                of_sample=predict(sample),
                pack=lambda: self._pack(estimator, x.shape[1]),
            )

    def _estimator(self, values: Mapping[str, Any], trial: TrainingTrial) -> Any:
        from sklearn.ensemble import (  # slow to import
            HistGradientBoostingClassifier,
            HistGradientBoostingRegressor,
        )

        kind = HistGradientBoostingClassifier if self.splits.n_classes else HistGradientBoostingRegressor
        return kind(
            learning_rate=float(values["learning_rate"]),
            max_depth=at_most(values["max_depth"]),
            max_leaf_nodes=at_most(values["max_leaves"], least=2),
            min_samples_leaf=int(values["min_samples_leaf"]),
            l2_regularization=float(values["l2"]),
            max_features=float(values["max_features"]),
            random_state=trial.seed % 2**32,
            early_stopping=False,
            warm_start=True,
        )

    def _pack(self, estimator: Any, d: int) -> TreeEnsemble:
        """Read the fitted trees: scikit-learn has no public way to them (tests compare predictions)."""
        grown = [_raw(tree.nodes) for stage in estimator._predictors for tree in stage]  # noqa: SLF001  # see above
        base = np.asarray(estimator._baseline_prediction, np.float64).ravel()  # noqa: SLF001  # see above
        return pack(join(grown), d=d, base=base, boosted=True, classify=self.splits.n_classes > 0)


def _raw(nodes: NDArray[Any]) -> RawTrees:
    leaf = nodes["is_leaf"].astype(bool)
    return RawTrees(
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        value=nodes["value"].astype(np.float64)[:, None],
        roots=np.zeros(1, np.int64),
    )


PRECISIONS = ("none",)

HYPERPARAMETERS: Hyperparameters = {
    "rounds": Hyperparameter(
        kind="int",
        default=100,
        low=1,
        high=100_000,
        doc="Rounds at most; each grows one tree, or one for each of more than two classes.",
        architecture=True,
    ),
    "learning_rate": Hyperparameter(
        kind="float",
        default=0.1,
        low=1e-6,
        high=10.0,
        doc="What each tree's values are multiplied by.",
        architecture=True,
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
        default=31,
        low=0,
        high=1_000_000,
        doc="Leaves of a tree at most, best first; 0 for any, else at least 2.",
        architecture=True,
    ),
    "min_samples_leaf": Hyperparameter(
        kind="int",
        default=20,
        low=1,
        high=1_000_000,
        doc="Training rows in a leaf at least.",
        architecture=True,
    ),
    "max_features": Hyperparameter(
        kind="float",
        default=1.0,
        low=1e-6,
        high=1.0,
        doc="Share of the features that each split chooses from; at least one is.",
        architecture=True,
    ),
    "l2": Hyperparameter(
        kind="float",
        default=0.0,
        low=0.0,
        high=1e12,
        doc="L2 penalty on the values of leaves.",
        architecture=True,
    ),
    "patience": Hyperparameter(
        kind="int",
        default=20,
        low=0,
        high=100_000,
        doc="Rounds without a better validation score after which it stops; the best ships. 0: never.",
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


class BoostingTrainer:
    """The family ``boosting``."""

    family = "boosting"
    doc = "Gradient boosting of trees on binned features; reports while it grows (scikit-learn)."
    tasks = frozenset({"classification", "regression"})
    kinds = frozenset({"table", "image"})
    precisions: tuple[str, ...] = PRECISIONS
    measures: Mapping[str, Known] = measures(
        size_known=Known.AFTER, counts=dict.fromkeys(("n_parameters", "n_leaves", "max_depth"), Known.AFTER)
    )
    hyperparameters = HYPERPARAMETERS

    def make_task(self, spec: StudySpec) -> BoostingTask:
        """Bind to the study's data."""
        return BoostingTask(self, spec)

    def restore(self, header: Header, arrays: Mapping[str, NDArray[Any]]) -> TreeEnsemble:
        """The ensemble that shipped."""
        return TreeEnsemble.restore(arrays, boosted=True, classify=header.task == "classification")

    def add_core(
        self,
        graph: Graph,
        x: str,
        header: Header,
        arrays: Mapping[str, NDArray[Any]],
        precision: str,
        items: NDArray[np.float32] | None,
    ) -> Core:
        """The trees, summed onto the base; images are flat vectors."""
        value = add_trees(graph, flat(graph, x, header), self.restore(header, arrays))
        links: dict[int, Link] = {0: "none", 2: "sigmoid"}
        return Core(value, links.get(len(header.classes), "softmax"))

    def blank_arrays(self, header: Header) -> None:
        """The trees are known once they have grown."""


BOOSTING = BoostingTrainer()
