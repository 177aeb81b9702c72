"""What is measured of a task: a call that predicts, in this process or in a fresh one."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from satisfice.errors import InputError
from satisfice.measure import Measurement, memory_mb
from satisfice.spec.entry import load_task
from satisfice.spec.study import StudySpec
from satisfice.spec.task import BuildsModule, Predicts, Reload, Reloads, Task

Call = Callable[[], object]


def predicting(task: Task, params: Mapping[str, Any], model: Any, batch: int) -> Call | None:
    """A call that predicts ``batch`` prepared items.

    Args:
        task: The study's.
        params: The configuration.
        model: The fitted model; None: an untrained one.
        batch: Items a call.

    Returns:
        None where the task has none, or only once it is fitted.

    Raises:
        InputError: The task hands out calls for one item only.
    """
    if isinstance(task, Predicts):
        if batch == 1:
            return task.predictor(params, model)
        if not _takes(task.predictor, params, model, batch):
            raise InputError(
                f"the task's predictor(params, model) predicts one item, not batches of {batch}",
                hint="give it a third argument, batch; else remove batch under [measure], and throughput",
            )
        return task.predictor(params, model, batch)  # type: ignore[call-arg]  # own tasks need not offer it
    if isinstance(task, BuildsModule):
        return _module_call(task.build(params) if model is None else model, task.example_input(params), batch)
    return None


def memory_of(
    spec: StudySpec, task: Task, params: Mapping[str, Any], model: Any, batch: int
) -> Measurement | None:
    """The peak memory of prediction, measured in a fresh process; None where none can load the model yet.

    A task of one's own is loaded there by its ``[task] entry``, with an untrained model: weights change no
    memory. One that was passed as an object cannot be loaded there.

    Raises:
        ProbeFailed: The process failed or took too long.
    """
    with TemporaryDirectory(prefix="satisfice-") as folder:
        reload = _reload(spec, task, params, model, Path(folder), batch)
        if reload is None:
            return None
        return memory_mb(
            reload.entry,
            reload.options,
            threads=spec.measure.threads,
            batch=batch,
            path=reload.path,
            imports=reload.imports,
        )


def _reload(
    spec: StudySpec, task: Task, params: Mapping[str, Any], model: Any, folder: Path, batch: int
) -> Reload | None:
    if isinstance(task, Reloads):
        return task.reload(params, model, folder, batch)
    builds = isinstance(task, BuildsModule)
    asked = isinstance(task, Predicts) or not builds  # a module need not be built here to know that it can be
    if spec.task is None or (asked and predicting(task, params, None, batch) is None):
        return None
    return Reload(
        entry=f"{__name__}:by_entry",
        options={
            "entry": spec.task.entry,
            "folder": str(spec.base_dir),
            "options": dict(spec.task.options),
            "params": dict(params),
            "batch": batch,
        },
        imports=(spec.task.entry.partition(":")[0], *(["torch"] if builds else [])),
        path=tuple(sys.path),
    )


def by_entry(
    *, entry: str, folder: str, options: Mapping[str, Any], params: Mapping[str, Any], batch: int
) -> Call | None:
    """In a fresh process: the call of an untrained model of a person's own task."""
    return predicting(load_task(entry, Path(folder), options), params, None, batch)


def _takes(function: Callable[..., object], *arguments: object) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # written in C: nothing is known of it
        return True
    return True


def _module_call(module: Any, example: Any, batch: int) -> Call:
    import torch

    module.eval()
    items = example if isinstance(example, tuple) else (example,)
    inputs = tuple(x.repeat(batch, *([1] * (x.dim() - 1))) if batch > 1 else x for x in items)

    def call() -> object:
        with torch.inference_mode():
            return module(*inputs)

    return call
