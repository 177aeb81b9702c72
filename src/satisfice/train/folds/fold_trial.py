"""One training of a cross-validated trial, as the family sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from satisfice.spec.influences import Influences
from satisfice.spec.task import TrainingTrial


class FoldTrial:
    """The trial of one training: what it reports stays inside, and it is never stopped midway.

    Args:
        trial: The trial that it is a part of.
        index: Of the training; the last one is on the rows of all folds.
        trainings: Of the trial in all; each may use an equal part of the trial's epochs.
        state: That an earlier attempt at this training saved last, or None.
        save: Keeps a state of it.
    """

    def __init__(
        self, trial: TrainingTrial, index: int, trainings: int, state: Any, save: Callable[[Any], None]
    ) -> None:
        self.number = trial.number
        self.params: Mapping[str, Any] = trial.params
        self.seed = int(np.random.SeedSequence([trial.seed, index]).generate_state(1)[0] >> 1)
        most = trial.max_epochs
        self.max_epochs = None if most is None else max(most // trainings, 1)
        self.threads = trial.threads
        self._trial = trial
        self._state = state
        self._save = save

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Only the end of a fold is reported."""
        del step, metrics
        self._trial.batch_end()

    def should_prune(self) -> bool:
        """Trials are stopped between folds."""
        return False

    def keep_alive(self) -> None:
        """Renew the trial's lease."""
        self._trial.keep_alive()

    def batch_end(self) -> None:
        """As of the trial."""
        self._trial.batch_end()

    def save_checkpoint(self, state: Any) -> None:
        """Keep a state of this training, with the folds that are done."""
        self._save(state)

    def load_checkpoint(self) -> Any:
        """The state of this training that was saved last, or None."""
        return self._state

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        """The model of a fold is scored and not kept."""
        del model, weights

    def save_influences(self, influences: Influences) -> None:
        """What rows of one fold did says nothing of the mean over all folds."""
        del influences
