"""The family ``mlp``: fully connected networks. Imported without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from satisfice.spec.study import StudySpec
from satisfice.train.hyperparameter import Hyperparameter, Hyperparameters, of_tables
from satisfice.train.networks.hyperparameters import IMAGES, TRAINING
from satisfice.train.networks.plan import Plan, Shape, mlp_plan
from satisfice.train.networks.task import TorchTask, TorchTrainer
from satisfice.train.text_hyperparameters import TEXT

HYPERPARAMETERS: Hyperparameters = {
    "hidden_layers": Hyperparameter(
        kind="int", default=2, low=0, high=64, doc="Number of hidden layers (depth).", architecture=True
    ),
    "width": Hyperparameter(
        kind="int", default=64, low=1, high=65_536, doc="Units in each hidden layer.", architecture=True
    ),
    "residual": Hyperparameter(
        kind="categorical",
        default=False,
        choices=(True, False),
        doc="Whether each hidden layer after the first adds to what it takes in.",
        architecture=True,
        optional=True,
    ),
    **IMAGES,
    **of_tables(scaled=True),
    **TEXT,
    **TRAINING,
    "optimizer": replace(
        TRAINING["optimizer"],
        choices=(*TRAINING["optimizer"].choices, "lbfgs"),
        doc="How steps are taken. `lbfgs` sees the whole training fold at once and finds the length of its "
        "steps: `batch_size`, `learning_rate`, momentum, schedule and warm-up have no effect then.",
    ),
}


class MLPTrainer(TorchTrainer):
    """The family ``mlp``."""

    family = "mlp"
    doc = "Fully connected network on tables, or on images as flat vectors (torch)."
    kinds = frozenset({"table", "image", "text"})
    hyperparameters = HYPERPARAMETERS

    def plan(self, values: Mapping[str, Any], shape: Shape, outputs: int) -> Plan:
        """The network."""
        return mlp_plan(
            shape=shape,
            outputs=outputs,
            hidden_layers=int(values["hidden_layers"]),
            width=int(values["width"]),
            activation=values["activation"],
            batch_norm=values["batch_norm"],
            dropout=values.get("dropout", 0.0),
            residual=values.get("residual", False),
        )

    def canonical(self, architecture: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
        """Without hidden layers, what they would be like decides nothing; one alone adds to nothing."""
        if architecture["hidden_layers"] > 1:
            return dict(architecture)
        idle = ["residual"]
        idle += [] if architecture["hidden_layers"] else ["width", "activation", "batch_norm"]
        return {**architecture, **{name: HYPERPARAMETERS[name].default for name in idle}}

    def make_task(self, spec: StudySpec) -> TorchTask:
        """Bind to the study's data."""
        return TorchTask(self, spec)


MLP = MLPTrainer()
