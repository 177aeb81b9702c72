"""One training in the lab's process: the same as a trial of a study, told to the page while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from satisfice.data import TableEncoder
from satisfice.errors import Diverged, InputError
from satisfice.lab.settings import LabTraining
from satisfice.lab.subject import Subject
from satisfice.measure.host import cores_allowed
from satisfice.measure.latency.timing import computes_alone, timed
from satisfice.ship.safetensors_file import read
from satisfice.spec.influences import Influences
from satisfice.spec.metric import updated
from satisfice.spec.task import Prepares
from satisfice.threads import granted_threads
from satisfice.train import make_task
from satisfice.train.families.linear import LinearTask
from satisfice.train.family_task import FamilyTask

TIME_LIMIT_S = 120.0  # of one training
_CALLS, _BLOCKS = 200, 10  # of one latency: the least of the blocks' medians

Tell = Callable[[str, Mapping[str, Any]], None]  # kind of event, content


class Cancelled(BaseException):
    """Nobody waits for the training any more. No `Exception`: a task must not swallow it."""


class LabTrial:
    """A trial of which nothing is stored: its reports go to the page.

    Args:
        training: What is trained.
        folder: Where its model is kept while it is looked at.
        tell: Takes each report.
        cancelled: Whether to stop.
    """

    def __init__(
        self, training: LabTraining, folder: Path, tell: Tell, cancelled: Callable[[], bool]
    ) -> None:
        self.number = 0
        self.params: Mapping[str, Any] = {}
        self.seed = training.seed
        self.max_epochs: int | None = training.epochs
        # As a worker that is alone on the host, so that the bits are the same.
        self.threads = granted_threads() or max(1, int(cores_allowed()))
        self.metrics: dict[str, float] = {}
        self.model_path: Path | None = None
        self.weights_path: Path | None = None
        self._folder, self._tell, self._cancelled = folder, tell, cancelled
        self._ends_at = time.monotonic() + TIME_LIMIT_S

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Tell it to the page."""
        self.batch_end()
        self.metrics = updated(self.metrics, metrics)
        self._tell("point", {"step": step, "metrics": dict(metrics)})

    def should_prune(self) -> bool:
        """Never."""
        return False

    def keep_alive(self) -> None:
        """See whether to stop."""
        self.batch_end()

    def batch_end(self) -> None:
        """See whether to stop.

        Raises:
            Cancelled: Nobody waits for it any more.
            InputError: It takes too long for the lab.
        """
        if self._cancelled():
            raise Cancelled
        if time.monotonic() > self._ends_at:
            raise InputError(
                f"the training took more than {TIME_LIMIT_S:g} seconds", hint="make the model smaller"
            )

    def save_checkpoint(self, state: Any) -> None:
        """Nothing: it is never taken up again."""
        del state

    def load_checkpoint(self) -> Any:
        """None."""
        return None

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        """Keep the files until the training has been looked at."""
        for path in (Path(model), weights):
            if path is not None:
                (self._folder / path.name).write_bytes(path.read_bytes())
        self.model_path = self._folder / Path(model).name
        self.weights_path = None if weights is None else self._folder / weights.name

    def save_influences(self, influences: Influences) -> None:
        """Nothing is kept: the lab compares no trials."""


def train(subject: Subject, training: LabTraining, tell: Tell, cancelled: Callable[[], bool]) -> None:
    """Train it, and tell its points, its metrics and what else is to be shown.

    Args:
        subject: The data.
        training: The setting.
        tell: Takes ``point`` (``step``, ``metrics``) and at the end ``result`` (``ended``: ``finished`` or
            ``diverged``; ``metrics``, and what ``shows`` names).
        cancelled: Whether to stop.

    Raises:
        Cancelled: It was.
        InputError: The values do not go together, or with the data.
    """
    spec = subject.spec_of(training)
    task = make_task(spec)
    if isinstance(task, Prepares):
        task.prepare()
    assert isinstance(task, FamilyTask)
    params = dict(spec.search.start[0])
    with TemporaryDirectory(prefix="satisfice-lab-") as folder:
        trial = LabTrial(training, Path(folder), tell, cancelled)
        trial.params = params
        try:
            returned = task.train(params, trial)
        except Diverged as error:
            tell("result", {"ended": "diverged", "metrics": trial.metrics, "why": str(error)})
            return
        found: dict[str, Any] = {"ended": "finished", "metrics": updated(trial.metrics, returned)}
        for name in training.shows:
            trial.batch_end()
            found[name] = _SHOW[name](task, params, trial)
        tell("result", found)


def _coefficients(
    task: FamilyTask, params: Mapping[str, Any], trial: LabTrial
) -> list[dict[str, Any]] | None:
    """Name and value of every weight of a linear model's first row; None of other models."""
    path = trial.weights_path or trial.model_path
    if not isinstance(task, LinearTask) or path is None:
        return None
    weights = read(path)[1]["weight"][0]
    encoder = task.preprocessor(params)
    names = encoder.feature_names if isinstance(encoder, TableEncoder) else map(str, range(len(weights)))
    return [{"feature": name, "value": float(value)} for name, value in zip(names, weights, strict=True)]


def _surface(task: FamilyTask, params: Mapping[str, Any], trial: LabTrial) -> dict[str, Any] | None:
    path = trial.weights_path or trial.model_path
    if task.trainer.family not in ("mlp", "cnn") or path is None:
        return None
    from satisfice.lab.surface import surface_of  # imports torch

    return surface_of(task, params, read(path)[1], trial.seed, trial.batch_end)


def _latency(task: FamilyTask, params: Mapping[str, Any], trial: LabTrial) -> float | None:
    """Milliseconds of one prediction of the file that ships, timed in blocks; the least median.

    A quick look. A study measures with a reference beside it, on a host that is kept quiet meanwhile.
    """
    if trial.model_path is None:
        return None
    call = task.predictor(params, task.load_model(params, trial.model_path))
    if call is None:
        return None
    timed(call, _CALLS, by_cpu=False)  # warms up
    by_cpu = computes_alone(call)
    medians = []
    for _ in range(_BLOCKS):
        trial.batch_end()
        medians.append(float(np.median(timed(call, _CALLS, by_cpu=by_cpu).seconds)))
    return 1000.0 * min(medians)


_SHOW: Mapping[str, Callable[[FamilyTask, Mapping[str, Any], LabTrial], Any]] = {
    "coefficients": _coefficients,
    "surface": _surface,
    "latency": _latency,
}
