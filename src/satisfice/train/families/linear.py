"""The family ``linear``: logistic regression, ridge, lasso, elastic net."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from satisfice.ship.onnx.decision import Link
from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx.precision import Precision, as_float32, blank, weight
from satisfice.ship.onnx_file import Core, flat
from satisfice.ship.safetensors_file import Header
from satisfice.spec.metric import Known
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Params, TrainingTrial
from satisfice.train.curves import CurveLosses, short
from satisfice.train.families.linear_solvers import SOLVERS, check_solvers, logistic_solver, ridge_solver
from satisfice.train.family_task import FamilyTask
from satisfice.train.hyperparameter import AUTO, Hyperparameter, Hyperparameters, of_tables, of_the_file
from satisfice.train.text_hyperparameters import TEXT
from satisfice.train.trainer import Trained, measures

_MANY, _FILLED, _LOOKED_AT = 128, 0.2, 1000  # features; share that is not zero; rows it is told by
_ROUNDING = 4.0 * float(np.finfo(np.float32).eps)  # of the largest spread of features in any direction


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Rows are classes; a single one gives the log-odds of the positive class, or the predicted value."""

    weight: NDArray[np.float32]  # (rows, d)
    bias: NDArray[np.float32]  # (rows,)
    classify: bool

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, k), or values (n,), float64: near 1 float32 tells few probabilities apart."""
        out = (x.reshape(len(x), -1) @ self.weight.T + self.bias).astype(np.float64)
        if not self.classify:
            return np.asarray(out[:, 0])
        if out.shape[1] == 1:
            positive = 0.5 * (1.0 + np.tanh(0.5 * out))  # the logistic function, without overflow
            return np.concatenate([1.0 - positive, positive], axis=1)
        power = np.exp(out - out.max(axis=1, keepdims=True))
        return np.asarray(power / power.sum(axis=1, keepdims=True))


class LinearTask(FamilyTask):
    """Linear models on a study's data."""

    trainer: LinearTrainer

    def prepare(self) -> None:
        """As every family; and see that each solver can fit each penalty that it may meet."""
        super().prepare()
        check_solvers(self.spec, self.splits.task)

    def profile(self, params: Params) -> dict[str, float]:
        """size, n_parameters and flops, exact."""
        rows, d = self._shape(params)
        size = self.file.length(self, params, self.trainer.blank_arrays(self.header(params)))
        count = {"n_parameters": float(rows * (d + 1)), "flops": float(2 * rows * d)}
        return self._convert({"size_bytes": float(size), **count, **self.inputs(params)})

    def untrained(self, params: Params) -> LinearModel:  # one architecture
        """All zeros."""
        rows, d = self._shape(params)
        return LinearModel(
            np.zeros((rows, d), np.float32), np.zeros(rows, np.float32), self.splits.n_classes > 0
        )

    def arrays(self, core: LinearModel) -> dict[str, NDArray[Any]]:
        """Weight and bias."""
        return {"weight": core.weight, "bias": core.bias}

    def learn(self, params: Params, trial: TrainingTrial, length: int | None = None) -> Trained:
        """Fit once, report once."""
        values, data = self.values(params), self.splits_of(params)
        began = time.perf_counter()
        x = data.train.x.reshape(len(data.train), -1)
        trial.batch_end()
        learn = fit_logistic if data.task == "classification" else _fit_least_squares
        with threadpool_limits(limits=max(trial.threads, 1)):
            core = learn(x if data.corpus is None else _sparse(x), data.train.z, values, trial.seed)
        seconds = time.perf_counter() - began
        trial.batch_end()
        known = self.profile(params) | {"train_seconds": seconds, "epochs_to_target": 1.0}
        scored = self.scoring(params).of_model(core, data.valid)
        losses = CurveLosses(data)
        norm = {"weight_norm": short(float(np.linalg.norm(core.weight)))}
        curves = losses.of(core(losses.train_x), core(data.valid.x)) | losses.guess | norm
        trial.report(1, scored | curves)
        if trial.should_prune():
            return Trained(core=None, metrics=known | scored)
        nonzero = {"nonzero_weights": float(np.count_nonzero(core.weight))}
        return Trained(core=core, metrics=known | nonzero)

    def _shape(self, params: Params) -> tuple[int, int]:
        k = self.splits.n_classes
        return (k if k > 2 else 1), self.preprocessor(params).n_features


PRECISIONS = ("none", "fp16", "int8")

HYPERPARAMETERS: Hyperparameters = {
    "penalty": Hyperparameter(
        kind="categorical",
        default="l2",
        choices=("l2", "l1", "elastic_net", "none"),
        doc="What is added to the loss: squares (ridge), absolute values (lasso), both, or nothing.",
    ),
    "alpha": Hyperparameter(
        kind="float", default=1e-3, low=1e-12, high=1e6, doc="Strength of the penalty, per training row."
    ),
    "l1_ratio": Hyperparameter(
        kind="float", default=0.5, low=0.0, high=1.0, doc="Share of absolute values in `elastic_net`."
    ),
    "class_weight": Hyperparameter(
        kind="categorical",
        default="none",
        choices=("none", "balanced"),
        doc="`balanced` gives every class the same weight; without effect on numbers.",
    ),
    "solver": Hyperparameter(
        kind="categorical",
        default=AUTO,
        choices=SOLVERS,
        doc="How the loss is minimised; `auto` takes the one that is made for penalty and data.",
    ),
    "max_iter": Hyperparameter(
        kind="int", default=300, low=1, high=1_000_000, doc="Iterations of the solver at most."
    ),
    **of_tables(scaled=True),
    **TEXT,
    **of_the_file(PRECISIONS),
}


class LinearTrainer:
    """The family ``linear``."""

    family = "linear"
    doc = "Logistic regression; least squares, ridge, lasso or elastic net for numbers (scikit-learn)."
    tasks = frozenset({"classification", "regression"})
    kinds = frozenset({"table", "image", "text"})
    precisions: tuple[str, ...] = PRECISIONS
    measures: Mapping[str, Known] = measures(
        size_known=Known.BEFORE,
        counts={"n_parameters": Known.BEFORE, "flops": Known.BEFORE, "nonzero_weights": Known.AFTER},
    )
    hyperparameters = HYPERPARAMETERS

    def make_task(self, spec: StudySpec) -> LinearTask:
        """Bind to the study's data."""
        return LinearTask(self, spec)

    def restore(self, header: Header, arrays: Mapping[str, NDArray[Any]]) -> LinearModel:
        """The model that shipped."""
        return LinearModel(arrays["weight"], arrays["bias"], header.task == "classification")

    def add_core(
        self,
        graph: Graph,
        x: str,
        header: Header,
        arrays: Mapping[str, NDArray[Any]],
        precision: str,
        items: NDArray[np.float32] | None,
    ) -> Core:
        """One product; images are flat vectors."""
        x = flat(graph, x, header)
        kernel = weight(graph, arrays["weight"], cast("Precision", precision))
        value = graph.op("Gemm", x, kernel, graph.constant(as_float32(arrays["bias"])), transB=1)
        links: dict[int, Link] = {0: "none", 2: "sigmoid"}
        return Core(value, links.get(len(header.classes), "softmax"))

    def blank_arrays(self, header: Header) -> dict[str, NDArray[Any]]:
        """A row for each class; of two, and of a regression, one."""
        k = len(header.classes)
        rows = k if k > 2 else 1
        d = header.preprocessor.n_features
        return {"weight": blank((rows, d), np.float32), "bias": blank((rows,), np.float32)}


LINEAR = LinearTrainer()


def _sparse(x: NDArray[np.float32]) -> Any:
    """Features of texts as solvers take them soonest: sparse where there are many and nearly all are zero."""
    if x.shape[1] < _MANY or np.count_nonzero(x[:_LOOKED_AT]) > _FILLED * x[:_LOOKED_AT].size:
        return x
    from scipy.sparse import csr_matrix  # slow to import

    return csr_matrix(x)


def fit_logistic(
    x: NDArray[np.float32], y: NDArray[Any], values: Mapping[str, Any], seed: int
) -> LinearModel:
    """Logistic regression of class codes (n,) on features (n, d), by the family's hyperparameters."""
    import sklearn  # slow to import
    from sklearn.linear_model import LogisticRegression

    penalty = values["penalty"]
    ratio = {"l2": 0.0, "l1": 1.0, "elastic_net": float(values["l1_ratio"]), "none": 0.0}[penalty]
    strength = np.inf if penalty == "none" else 1.0 / (values["alpha"] * x.shape[0])
    # Up to scikit-learn 1.7 `l1_ratio` counts only with this name of the penalty; from 1.8 on the name is
    # deprecated.
    version = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
    named = {"penalty": "elasticnet"} if version < (1, 8) and ratio > 0 else {}
    estimator = LogisticRegression(
        C=strength,
        l1_ratio=ratio,
        solver=logistic_solver(values["solver"], ratio),
        class_weight="balanced" if values["class_weight"] == "balanced" else None,
        max_iter=int(values["max_iter"]),
        random_state=seed % 2**32,
        **named,
    )
    _fit_quietly(estimator, x, y)
    return LinearModel(
        np.ascontiguousarray(estimator.coef_, np.float32), np.asarray(estimator.intercept_, np.float32), True
    )


def _fit_least_squares(x: Any, y: NDArray[Any], values: Mapping[str, Any], seed: int) -> LinearModel:
    """``y`` is of unit variance, so that a penalty means the same whatever the target's unit."""
    from sklearn.linear_model import ElasticNet, Ridge  # slow to import

    penalty, alpha, limit = values["penalty"], values["alpha"], int(values["max_iter"])
    if penalty == "none":
        dense = x if isinstance(x, np.ndarray) else x.toarray()
        return _solve(dense.astype(np.float64), y)
    if penalty == "l2":
        solver = ridge_solver(values["solver"])
        if solver not in ("auto", "saga") and not isinstance(x, np.ndarray):
            x = x.toarray()  # the others fit no intercept beside sparse features
        estimator: Any = Ridge(
            alpha=alpha * x.shape[0],
            solver=solver,
            max_iter=limit if solver == "saga" else None,
            random_state=seed % 2**32,
        )
    else:
        ratio = 1.0 if penalty == "l1" else float(values["l1_ratio"])
        estimator = ElasticNet(alpha=alpha, l1_ratio=ratio, max_iter=limit, random_state=seed % 2**32)
    _fit_quietly(estimator, x.astype(np.float64), y)
    weight = np.asarray(estimator.coef_, np.float32).reshape(1, -1)
    return LinearModel(weight, np.asarray([estimator.intercept_], np.float32), False)


def _solve(x: NDArray[np.float64], y: NDArray[Any]) -> LinearModel:
    """The least squares solution; of many, the smallest.

    Features are float32, so directions in which they spread less than its rounding hold nothing: two columns
    that measure the same in different units share one weight, instead of two huge ones that cancel.
    """
    centre, level = x.mean(axis=0), float(y.mean())
    weight = np.linalg.lstsq(x - centre, y - level, rcond=_ROUNDING)[0]
    bias = level - float(centre @ weight)
    return LinearModel(weight.astype(np.float32)[None], np.asarray([bias], np.float32), False)


def _fit_quietly(estimator: Any, x: NDArray[Any], y: NDArray[Any]) -> None:
    """A solver that stops at `max_iter` is no news: the validation score tells what that is worth.

    Newton's method goes on as L-BFGS where its matrix is close to singular.
    """
    from scipy.linalg import LinAlgWarning
    from sklearn.exceptions import ConvergenceWarning  # slow to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        estimator.fit(x, y)
