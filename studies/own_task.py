"""A task of one's own: digits by a network whose weight matrices are products of two thin ones.

Only `train` is required. `profile` and `build` let satisfice turn down what cannot fit before any training.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, recall_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

from satisfice.spec.task import TrainingTrial

Params = Mapping[str, Any]

PIXELS, DIGITS = 64, 10


class LowRankDigits:
    """64 pixels, a hidden layer of low rank, ten digits.

    Args:
        noise: Standard deviation of the noise on training images, whose pixels lie between 0 and 1.
    """

    def __init__(self, noise: float = 0.0) -> None:
        self.noise = noise

    def profile(self, params: Params) -> dict[str, float]:
        """What is known without training, exact and at once."""
        width, rank = params["width"], params["rank"]
        return {"multiplications": PIXELS * rank + rank * width + width * DIGITS}

    def build(self, params: Params) -> nn.Module:
        """The untrained network: satisfice takes its size and measures its latency."""
        width, rank = params["width"], params["rank"]
        return nn.Sequential(
            nn.Linear(PIXELS, rank, bias=False), nn.Linear(rank, width), nn.ReLU(), nn.Linear(width, DIGITS)
        )

    def example_input(self, params: Params) -> torch.Tensor:
        """One image, as the network takes it."""
        return torch.zeros(1, PIXELS)

    def train(self, params: Params, trial: TrainingTrial) -> dict[str, float]:
        """Train for the epochs of the budget, unless the trial is pruned."""
        generator = torch.Generator().manual_seed(trial.seed)
        torch.manual_seed(trial.seed)
        model = self.build(params)
        optimizer = torch.optim.Adam(model.parameters(), lr=params["learning_rate"])
        images, labels, *_ = self.data
        epoch, metrics = 0, self.score(model)
        if saved := trial.load_checkpoint():  # an earlier worker died: go on where it stopped
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            epoch, metrics = saved["epoch"], saved["metrics"]
        while epoch < (trial.max_epochs or 15):
            model.train()
            for batch in torch.randperm(len(images), generator=generator).split(params["batch_size"]):
                noisy = images[batch] + self.noise * torch.randn(len(batch), PIXELS, generator=generator)
                loss = functional.cross_entropy(model(noisy), labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                trial.batch_end()  # optional: keeps latency measurements of other workers undisturbed
            epoch, metrics = epoch + 1, self.score(model)
            trial.report(epoch, metrics)
            if trial.should_prune():
                return metrics
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            trial.save_checkpoint({**state, "epoch": epoch, "metrics": metrics})
        trial.save_model(model)
        return metrics

    def score(self, model: nn.Module) -> dict[str, float]:
        """Accuracy, and the recall of the digit that is recognised worst."""
        *_, images, labels = self.data
        model.eval()
        with torch.no_grad():
            found = model(images).argmax(dim=1)
        recalls = recall_score(labels, found, average=None, zero_division=0)
        return {"accuracy": float(accuracy_score(labels, found)), "worst_recall": float(min(recalls))}

    @cached_property
    def data(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Training images and labels, then those for validation; read on first use, alike in every trial."""
        images, labels = load_digits(return_X_y=True)
        train_x, valid_x, train_y, valid_y = train_test_split(
            images / 16, labels, test_size=0.25, random_state=0, stratify=labels
        )
        as_images = (torch.tensor(part, dtype=torch.float32) for part in (train_x, valid_x))
        as_labels = (torch.tensor(part, dtype=torch.int64) for part in (train_y, valid_y))
        return next(as_images), next(as_labels), next(as_images), next(as_labels)
