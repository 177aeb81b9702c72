"""The hyperparameters that every torch family shares. No torch here."""

from __future__ import annotations

from satisfice.ship.onnx.precision import PRECISIONS
from satisfice.train.hyperparameter import Hyperparameter, Hyperparameters, of_the_file
from satisfice.train.networks.schedule import SCHEDULES

IMAGES: Hyperparameters = {
    "image_size": Hyperparameter(
        kind="int",
        default=0,
        low=0,
        high=1024,
        doc="Height and width to which images are brought first; 0 for those that the data have.",
        architecture=True,
        optional=True,
    ),
    "augment": Hyperparameter(
        kind="float",
        default=0.0,
        low=0.0,
        high=1.0,
        doc="How strongly images are altered at random in training; 0 for not at all.",
    ),
    "augment_flips": Hyperparameter(
        kind="categorical",
        default="horizontal",
        choices=("none", "horizontal", "both"),
        doc="Which ways `augment` mirrors images; `none` for digits and letters.",
    ),
    "augment_shifts": Hyperparameter(
        kind="categorical", default=True, choices=(True, False), doc="Whether `augment` moves images."
    ),
    "augment_crops": Hyperparameter(
        kind="categorical",
        default=True,
        choices=(True, False),
        doc="Whether `augment` takes parts of images for the whole.",
    ),
    "augment_colour": Hyperparameter(
        kind="categorical",
        default=True,
        choices=(True, False),
        doc="Whether `augment` changes brightness, contrast and colours.",
    ),
    "augment_mixup": Hyperparameter(
        kind="categorical",
        default=True,
        choices=(True, False),
        doc="Whether `augment` blends images, and what is to be learnt of them, in pairs.",
    ),
}

# What decides nothing where L-BFGS sees all rows at once and finds the length of its steps.
IDLE_WITH_LBFGS = (
    "learning_rate",
    "batch_size",
    "momentum",
    "nesterov",
    "schedule",
    "final_learning_rate",
    "warmup_epochs",
)

TRAINING: Hyperparameters = {
    "learning_rate": Hyperparameter(
        kind="float", default=1e-3, low=1e-8, high=10.0, doc="Step size of the optimizer."
    ),
    "batch_size": Hyperparameter(
        kind="int", default=64, low=2, high=1_000_000, doc="Items in one step; at most the training fold."
    ),
    "optimizer": Hyperparameter(
        kind="categorical",
        default="adam",
        choices=("sgd", "rmsprop", "adam", "adamw"),
        doc="How steps are taken.",
    ),
    "momentum": Hyperparameter(
        kind="float", default=0.9, low=0.0, high=0.999, doc="Of `sgd`; without effect on the others."
    ),
    "nesterov": Hyperparameter(
        kind="categorical",
        default=True,
        choices=(True, False),
        doc="Nesterov's form of the momentum; of `sgd` with `momentum` above 0.",
    ),
    "dropout": Hyperparameter(
        kind="float",
        default=0.0,
        low=0.0,
        high=0.95,
        doc="Share of each hidden layer's outputs left out in training.",
    ),
    "l1": Hyperparameter(
        kind="float",
        default=0.0,
        low=0.0,
        high=10.0,
        doc="Weight of the sum of absolute weights in the loss; biases and batch norm are spared.",
    ),
    "l2": Hyperparameter(
        kind="float",
        default=0.0,
        low=0.0,
        high=10.0,
        doc="Weight of half the sum of squared weights in the loss; of `adamw` the decoupled weight decay.",
    ),
    "activation": Hyperparameter(
        kind="categorical",
        default="relu",
        choices=("relu", "gelu", "silu", "tanh", "leaky_relu"),
        doc="After every hidden layer.",
        architecture=True,
    ),
    "batch_norm": Hyperparameter(
        kind="categorical",
        default=False,
        choices=(True, False),
        doc="Batch normalisation before every activation.",
        architecture=True,
    ),
    "schedule": Hyperparameter(
        kind="categorical",
        default="constant",
        choices=SCHEDULES,
        doc="How the learning rate falls; `step` falls twice, after one and two thirds of the epochs.",
    ),
    "final_learning_rate": Hyperparameter(
        kind="float",
        default=0.01,
        low=1e-6,
        high=1.0,
        doc="Learning rate at the end of a schedule, as a share of `learning_rate`; not of `constant`.",
    ),
    "warmup_epochs": Hyperparameter(
        kind="int",
        default=0,
        low=0,
        high=10_000,
        doc="Epochs over which the learning rate first rises from zero.",
    ),
    "patience": Hyperparameter(
        kind="int",
        default=10,
        low=0,
        high=100_000,
        doc="Epochs without a better validation score after which training stops; 0 for never.",
    ),
    "distillation": Hyperparameter(
        kind="float",
        default=0.0,
        low=0.0,
        high=1.0,
        doc="Weight of the teacher's part of the loss; 0 for none.",
    ),
    "temperature": Hyperparameter(
        kind="float",
        default=2.0,
        low=0.5,
        high=20.0,
        doc="What softens the probabilities of teacher and network; without effect on numbers.",
    ),
    "teacher": Hyperparameter(
        kind="text",
        default="",
        pattern=r"\S(.*\S)?/\d+",
        example="study-name/12",
        doc="The trial to learn from: a study in the same storage, and a number.",
    ),
    "prune": Hyperparameter(
        kind="float",
        default=0.0,
        low=0.0,
        high=0.9,
        doc="Share of each hidden layer's units or channels cut after half of the epochs; it starts wider.",
    ),
    "averaging": Hyperparameter(
        kind="categorical",
        default="none",
        choices=("none", "ema", "swa"),
        doc="Of which weights the best ship: plain ones, or averages over steps (`ema`) or epochs (`swa`).",
    ),
    "class_weight": Hyperparameter(
        kind="categorical",
        default="none",
        choices=("none", "balanced"),
        doc="`balanced` gives every class the same weight in the loss; without effect on numbers.",
    ),
    **of_the_file(PRECISIONS),
}
