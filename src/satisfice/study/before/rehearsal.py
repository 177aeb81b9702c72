"""One tiny training before the study's: broken training code is found before it costs a budget."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
import traceback as traceback_module
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import numpy as np
import optuna

from satisfice.errors import BadReport, Diverged, InputError
from satisfice.results.rehearsal import Rehearsal
from satisfice.spec.influences import Influences
from satisfice.spec.metric import updated
from satisfice.spec.standard_error import check_errors, split
from satisfice.spec.study import StudySpec
from satisfice.spec.task import HasDefaults, Shrinks, Task
from satisfice.store.artefacts import Artefacts
from satisfice.study.lifecycle.checkpoint import Checkpoints, save_model
from satisfice.study.lifecycle.judge import lacks
from satisfice.study.lifecycle.reported import as_floats, is_step
from satisfice.study.lifecycle.screening import is_of_configuration
from satisfice.study.measuring.evaluator import Evaluator

TIME_LIMIT_S = 60.0
_ASKED_TO_STOP = 1 / 4  # of the time limit, after which `should_prune` says yes
_DRAWS = 200  # configurations looked at to find one that fits


class _OutOfTime(BaseException):
    """No `Exception`: a task must not swallow it."""


class _Trial:
    """A trial of which nothing is stored; its files go into a folder of its own."""

    def __init__(
        self,
        spec: StudySpec,
        task: Task,
        params: Mapping[str, Any],
        folder: Path,
        threads: int,
        limit_s: float,
    ) -> None:
        self.number = 0
        self.params: Mapping[str, Any] = dict(params)
        self.seed = spec.seed & 0x7FFFFFFF
        self.max_epochs = None if spec.budget.epochs is None else 1
        self.threads = threads
        self.metrics: dict[str, float] = {}
        self.model_path: Path | None = None
        self.reported: list[int] = []
        self.asked_to_stop = False
        self._task = task
        self._artefacts = Artefacts(folder, "rehearsal")
        self._checkpoints = Checkpoints(self._artefacts, 0, 1)
        self._began, self._limit_s = time.monotonic(), limit_s

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        self.batch_end()
        if not is_step(step):
            raise BadReport(f"step = {step!r} is no step", hint="count epochs from 1")
        told = as_floats(metrics)
        check_errors(told, known=self.metrics)
        self.metrics = updated(self.metrics, told)
        self.reported.append(int(step))

    def should_prune(self) -> bool:
        self.batch_end()
        self.asked_to_stop |= bool(self.reported) and self.seconds > _ASKED_TO_STOP * self._limit_s
        return self.asked_to_stop

    def keep_alive(self) -> None:
        self.batch_end()

    def batch_end(self) -> None:
        if self.seconds > self._limit_s:
            raise _OutOfTime

    def save_checkpoint(self, state: Any) -> None:
        self.batch_end()
        self._checkpoints.save(state)

    def load_checkpoint(self) -> Any:
        return self._checkpoints.load()

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        self.model_path = save_model(
            self._artefacts, self.number, 1, model, task=self._task, params=self.params
        )

    def save_influences(self, influences: Influences) -> None:
        del influences


def rehearse(evaluator: Evaluator, *, threads: int = 1, time_limit_s: float = TIME_LIMIT_S) -> Rehearsal:
    """Train one configuration that fits for one epoch (a family: on few rows) and judge what it gives.

    Where the budget names no epochs, the task trains as long as it likes; after a quarter of the time limit
    `should_prune` asks it to stop, and at the limit it is ended. Nothing is stored.

    Args:
        evaluator: Of the study.
        threads: CPU threads that the training may use.
        time_limit_s: Seconds.
    """
    spec, task = evaluator.spec, evaluator.task
    if isinstance(task, Shrinks):
        task = task.on_few_rows()
    params = _first_that_fits(evaluator)
    if params is None:
        return Rehearsal(params=None, ended="not trained")
    with TemporaryDirectory(prefix="satisfice-") as folder:
        trial = _Trial(spec, task, params, Path(folder), threads, time_limit_s)
        ended, problem, text, returned = _train(task, trial)
        found = updated(evaluator.exact(params), trial.metrics)
        found = updated(found, evaluator.shipped(params, trial.model_path), spec.metric_names)
        found = updated(found, returned, spec.metric_names)
        if ended == "finished" and problem is None:
            problem, text = _problem(evaluator, task, trial, found)
        return Rehearsal(
            params=params,
            ended="failed" if problem is not None and ended == "finished" else ended,
            steps=len(trial.reported),
            seconds=trial.seconds,
            metrics=split(found)[0],
            kept_model=trial.model_path is not None,
            problem=problem,
            traceback=text,
            notes=tuple(_notes(spec, trial, ended, found)),
        )


def _first_that_fits(evaluator: Evaluator) -> dict[str, Any] | None:
    """The default configuration, one of `[search] start`, or the first draw that is known to fit.

    Raises:
        Exception: What the task's own code raised, where it raised for every configuration.
    """
    spec, task = evaluator.spec, evaluator.task
    rng = np.random.default_rng(spec.seed)
    defaults = task.defaults() if isinstance(task, HasDefaults) else {}
    first = [spec.space.complete(defaults, defaults)] if defaults else []
    first += [spec.space.complete(start, defaults or spec.space.sample(rng)) for start in spec.search.start]
    raised: Exception | None = None
    for i in range(_DRAWS):
        params = first[i] if i < len(first) else spec.space.sample(rng)
        try:
            if evaluator.fits_exactly(params):
                return dict(params)
        except Exception as error:
            if not is_of_configuration(error):
                raise
            raised = raised or error
    if raised is not None:
        raise raised
    return None


def _train(task: Task, trial: _Trial) -> tuple[str, str | None, str | None, dict[str, float]]:
    """How it ended, what is wrong, the traceback, and what it returned."""
    try:
        with _alarm(trial.seconds, trial._limit_s):  # noqa: SLF001  # its own module's
            metrics = task.train(dict(trial.params), trial)
        returned = {} if metrics is None else as_floats(metrics)
        check_errors(returned, known=trial.metrics)
    except _OutOfTime:
        return "out of time", None, None, {}
    except (Diverged, optuna.TrialPruned):
        return "pruned", None, None, {}
    except SystemExit as error:
        said = f"training code called sys.exit({'' if error.code is None else repr(error.code)})"
        return "failed", said, traceback_module.format_exc(), {}
    except Exception as error:  # noqa: BLE001  # whatever a person's training code raises is what is looked for
        text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        return "failed", text, traceback_module.format_exc(), {}
    return ("stopped" if trial.asked_to_stop else "finished"), None, None, returned


@contextmanager
def _alarm(spent_s: float, limit_s: float) -> Iterator[None]:
    """Ends code that reports nothing too, where this is the main thread of a system with alarms."""
    free = (
        sys.platform != "win32"
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    )
    if not free:
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise _OutOfTime

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(limit_s - spent_s, 0.01) + 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _problem(
    evaluator: Evaluator, task: Task, trial: _Trial, found: Mapping[str, float]
) -> tuple[str | None, str | None]:
    """What is wrong with a training that ended well, and the traceback."""
    spec = evaluator.spec
    load = getattr(task, "load_model", None)
    if trial.model_path is not None and callable(load):
        try:
            load(dict(trial.params), trial.model_path)
        except Exception as error:  # noqa: BLE001  # a person's own code
            said = f"the model that it kept cannot be loaded again: {type(error).__name__}: {error}"
            return said, traceback_module.format_exc()
    missing = [
        name for name in spec.metric_names if name not in found and not evaluator.measures_itself(name)
    ]
    objectives = {o.metric for o in spec.objectives}
    for name in sorted(missing, key=lambda name: name not in objectives):
        effect = "every trial would fail" if name in objectives else "no trial could be feasible"
        return f"{lacks(name, found)}: {effect}", None
    return None, None


def _notes(spec: StudySpec, trial: _Trial, ended: str, found: Mapping[str, float]) -> Iterator[str]:
    for name in spec.metric_names:
        if not math.isfinite(found.get(name, 0.0)):
            yield f"{name} is {found[name]:g}: a trial that ends so counts as diverged, or as one that misses"
    if ended in ("stopped", "out of time"):
        yield "what train does after the last epoch was not tried"
    if not trial.reported and ended == "finished":
        yield "train reports nothing by trial.report, so that no trial can be stopped early"
    if trial.max_epochs == 1 and max(trial.reported, default=0) > 1:
        yield (
            f"train ran {max(trial.reported)} epochs where trial.max_epochs is 1, so that epochs = "
            f"{spec.budget.epochs} under [budget] bounds nothing"
        )
    if trial.model_path is None and ended == "finished":
        yield "train keeps no model by trial.save_model, so that there will be none to ship"
