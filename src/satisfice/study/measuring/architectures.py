"""Which configurations are one architecture: equal keys, equal size and latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from satisfice.measure import architecture_key, module_key, plain_numbers
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Bounds, BuildsModule, Identifies, Predicts, Profiles, Task


class ArchitectureKeys:
    """Keys under which a task's measurements are remembered.

    A study that an older satisfice stored keeps the keys of that time (`StudySpec.canonical` is False).

    Args:
        spec: The study.
        task: Its task.
    """

    def __init__(self, spec: StudySpec, task: Task) -> None:
        self._spec = spec
        self._task = task

    def of(self, params: Mapping[str, Any], quantity: str, model: Any = None) -> str:
        """The key, empty where the task has nothing that could be timed.

        Args:
            params: The configuration.
            quantity: What is measured.
            model: The fitted model; None: an untrained one.
        """
        key = self._of(params, quantity, model)
        # An estimated energy is as many watts as the study says.
        return f"{key} {self._spec.measure.watts:g} W" if quantity == "energy" and key else key

    def _of(self, params: Mapping[str, Any], quantity: str, model: Any) -> str:
        task, threads = self._task, self._spec.measure.threads
        batch = self.batch(quantity)
        if self._spec.canonical and isinstance(task, Identifies):
            depends_on = dict(task.measured_as(params, quantity, model))
            return architecture_key(
                depends_on | {"": quantity}, family_or_task="built in", threads=threads, batch=batch
            )
        if isinstance(task, Predicts):
            # Families known only after fitting differ with every parameter.
            grown = self._spec.model is not None and isinstance(task, Bounds)
            depends_on_weights = model is not None and (grown or not isinstance(task, Profiles))
            found = dict(params) if depends_on_weights else dict(task.architecture(params))
            if self._spec.canonical:
                found = plain_numbers(found)
            return architecture_key(
                found | {"": quantity}, family_or_task=self._name(), threads=threads, batch=batch
            )
        if isinstance(task, BuildsModule):
            example = task.example_input(params)
            module = built_on_meta(task, params)
            return module_key(
                module, threads=threads, batch=batch, example=example, predicts=self._spec.canonical
            )
        return ""

    def batch(self, quantity: str) -> int:
        """Items in one measured call."""
        options = self._spec.measure
        return options.throughput_batch if quantity == "throughput" else options.batch

    def _name(self) -> str:
        """What gives the names of an architecture their meaning."""
        kind = type(self._task)
        if not self._spec.canonical:
            return self._spec.model.family if self._spec.model is not None else kind.__qualname__
        options = dict(self._spec.task.options) if self._spec.task is not None else {}
        return f"{kind.__module__}.{kind.__qualname__} {sorted(options.items())!r}"


def built_on_meta(task: BuildsModule, params: Mapping[str, Any]) -> Any:
    """The task's module without memory."""
    import torch

    with torch.device("meta"):
        return task.build(dict(params))
