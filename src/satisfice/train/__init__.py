"""Trainers: families of models, and the tasks they make of a study. Imported without torch."""

from satisfice.ship.model import ShippedModel
from satisfice.train.catalog import TRAINERS, make_task
from satisfice.train.hyperparameter import Hyperparameter
from satisfice.train.loading import load as load_model
from satisfice.train.trainer import Trainer

__all__ = ["TRAINERS", "Hyperparameter", "ShippedModel", "Trainer", "load_model", "make_task"]
