"""The metrics that satisfice knows by name, their units, and when each is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Direction = Literal["maximize", "minimize"]


class Known(Enum):
    """When a metric of a built-in family becomes known."""

    BEFORE = "before training"  # an exact function of the configuration (for some families: after fitting)
    UNTRAINED = "measured on the untrained model"
    AFTER = "after training"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric."""

    name: str
    direction: Direction  # what is better
    known: Known
    quantity: str  # metrics of one quantity convert into each other by `scale`
    scale: float = 1.0  # how many base units one of this is
    task: Literal["classification", "regression", "any"] = "any"
    lower: float = float("-inf")  # no value is below
    upper: float = float("inf")  # no value is above


# Metrics at a level that the study gives, of two classes only: the key of [measure] that holds the level.
LEVEL_KEYS: Mapping[str, str] = {
    "recall_at_precision": "precision_level",
    "precision_at_recall": "recall_level",
}


def _efficiency() -> Iterable[Metric]:
    for unit, scale in {"bytes": 1.0, "kb": 1e3, "mb": 1e6}.items():
        yield Metric(
            name=f"size_{unit}",
            direction="minimize",
            known=Known.BEFORE,
            quantity="size",
            scale=scale,
            lower=0.0,
        )
        for kind in ("memory", "train_memory", "train_gpu_memory"):
            known = Known.UNTRAINED if kind == "memory" else Known.AFTER
            yield Metric(
                name=f"{kind}_{unit}",
                direction="minimize",
                known=known,
                quantity=kind,
                scale=scale,
                lower=0.0,
            )
    for unit, scale in {"us": 1e-3, "ms": 1.0, "s": 1e3}.items():
        for kind in ("latency", "latency_p95", "pipeline_latency"):
            yield Metric(
                name=f"{kind}_{unit}",
                direction="minimize",
                known=Known.UNTRAINED,
                quantity=kind,
                scale=scale,
                lower=0.0,
            )
    yield Metric(name="energy_mj", direction="minimize", known=Known.UNTRAINED, quantity="energy", lower=0.0)
    yield Metric(
        name="train_energy_wh", direction="minimize", known=Known.AFTER, quantity="train_energy", lower=0.0
    )
    for name in ("n_parameters", "flops", "n_features"):
        yield Metric(name=name, direction="minimize", known=Known.BEFORE, quantity=name, lower=0.0)
    for name in ("nonzero_weights", "n_leaves", "max_depth"):
        yield Metric(name=name, direction="minimize", known=Known.AFTER, quantity=name, lower=0.0)
    yield Metric(
        name="throughput", direction="maximize", known=Known.UNTRAINED, quantity="throughput", lower=0.0
    )
    for name in ("train_seconds", "epochs_to_target"):
        yield Metric(name=name, direction="minimize", known=Known.AFTER, quantity=name, lower=0.0)


def _predictive() -> Iterable[Metric]:
    of_answers = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1")
    for name in (*of_answers, "roc_auc", "average_precision", *LEVEL_KEYS):
        yield Metric(
            name=name,
            direction="maximize",
            known=Known.AFTER,
            quantity=name,
            task="classification",
            lower=0.0,
            upper=1.0,
        )
    yield Metric(
        name="log_loss",
        direction="minimize",
        known=Known.AFTER,
        quantity="log_loss",
        task="classification",
        lower=0.0,
    )
    yield Metric(
        name="r2", direction="maximize", known=Known.AFTER, quantity="r2", task="regression", upper=1.0
    )
    for name in ("mae", "rmse"):
        yield Metric(
            name=name, direction="minimize", known=Known.AFTER, quantity=name, task="regression", lower=0.0
        )
    yield Metric(
        name="generalization_gap", direction="minimize", known=Known.AFTER, quantity="generalization_gap"
    )


# What built-in families report of each epoch beside their metrics, to judge a training by. They tell of an
# epoch, not of the model that ships: none is a metric of a trial.
CURVES: Mapping[str, str] = {
    "train_loss": "loss of a fixed sample of the training rows",
    "validation_loss": "loss of the validation rows, of the same kind",
    "guess_loss": "validation loss of who knows the targets' frequencies alone; in the first report",
    "batch_loss": "mean loss of the batches in training: with class weights, dropout and teacher",
    "weight_norm": "Euclidean norm of the weights that penalties act on",
    "gradient_norm": "Euclidean norm of the gradient of the epoch's last batch",
}

METRICS: Mapping[str, Metric] = {m.name: m for m in (*_predictive(), *_efficiency())}

# The unit in which each quantity is recorded and shown unless the study says another.
DEFAULT_UNIT: Mapping[str, str] = {
    "size": "size_mb",
    "memory": "memory_mb",
    "train_memory": "train_memory_mb",
    "train_gpu_memory": "train_gpu_memory_mb",
    "energy": "energy_mj",
    "train_energy": "train_energy_wh",
    "latency": "latency_ms",
    "latency_p95": "latency_p95_ms",
    "pipeline_latency": "pipeline_latency_ms",
}


_ESTIMATED = ".estimated"


def as_estimated(metric: str) -> dict[str, float]:
    """What is recorded beside a metric that was not measured but computed from something else."""
    return {metric + _ESTIMATED: 1.0}


def apart(metrics: Mapping[str, float]) -> tuple[dict[str, float], frozenset[str]]:
    """Metrics, and the names of those that are estimated.

    >>> apart({"energy_mj": 2.0, "energy_mj.estimated": 1.0})
    ({'energy_mj': 2.0}, frozenset({'energy_mj'}))
    """
    found = {name: value for name, value in metrics.items() if not name.endswith(_ESTIMATED)}
    told = {name.removesuffix(_ESTIMATED) for name in metrics.keys() - found.keys()}
    return found, frozenset(told & found.keys())


def convert(metrics: Mapping[str, float], names: Iterable[str] = ()) -> dict[str, float]:
    """``metrics`` with the default unit of each quantity and those of ``names`` that follow by conversion.

    >>> convert({"size_bytes": 2e6}, ["size_kb"])["size_kb"]
    2000.0
    """
    out = dict(metrics)
    base: dict[str, float] = {}
    for name, value in metrics.items():
        known = METRICS.get(name)
        if known is not None:
            base.setdefault(known.quantity, value * known.scale)
    wanted = [*(DEFAULT_UNIT[q] for q in base if q in DEFAULT_UNIT), *names]
    for name in wanted:
        known = METRICS.get(name)
        if known is not None and name not in out and known.quantity in base:
            out[name] = base[known.quantity] / known.scale
    return out


def one_unit(named: Iterable[str], others: Iterable[str] = ()) -> list[str]:
    """The names, each once, without a second unit of a quantity that is named already.

    Args:
        named: In the order in which they are wanted; of two units the first stands.
        others: Come after them; of several units of a quantity the default one stands.

    >>> one_unit(["accuracy", "size_kb", "size_mb"], ["size_bytes", "latency_us", "latency_ms", "accuracy"])
    ['accuracy', 'size_kb', 'latency_ms']
    """
    rest = list(others)
    kept: dict[str, str] = {}
    for name in named:
        known = METRICS.get(name)
        kept.setdefault(name if known is None else known.quantity, name)
    for name in rest:
        quantity = METRICS[name].quantity if name in METRICS else name
        usual = DEFAULT_UNIT.get(quantity, name)
        kept.setdefault(quantity, usual if usual in rest else name)
    return list(kept.values())


def quantities_of(names: Iterable[str]) -> set[str]:
    """The quantities of those of the metrics that satisfice knows.

    >>> sorted(quantities_of(["size_kb", "size_mb", "accuracy", "of my own"]))
    ['accuracy', 'size']
    """
    return {METRICS[name].quantity for name in names if name in METRICS}


def updated(
    metrics: Mapping[str, float], later: Mapping[str, float], names: Iterable[str] = ()
) -> dict[str, float]:
    """``metrics`` with ``later`` in place of what it says anew, in whatever unit; units as in `convert`.

    The standard error (``accuracy.se``) of a value that is replaced goes with it.

    >>> updated({"size_mb": 1.0, "size_kb": 1000.0}, {"size_kb": 2000.0})["size_mb"]
    2.0
    """
    anew = quantities_of(later)
    of_anew = {f"{name}.se" for name in later}
    kept = {
        name: v
        for name, v in metrics.items()
        if name not in of_anew and not quantities_of([name, name.removesuffix(".se")]) & anew
    }
    return convert({**kept, **later}, names)
