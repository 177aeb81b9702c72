"""A study around one family, and a trial that records what a trainer does with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from satisfice.spec.constraint import Constraint
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import (
    Budget,
    DataSpec,
    MeasureOptions,
    ModelSpec,
    Objective,
    ShipOptions,
    StudySpec,
)


class Killed(BaseException):
    """Stands for a worker that dies."""


@dataclass
class RecordingTrial:
    """In memory; dies or prunes at a step where asked to."""

    params: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    seed: int = 11
    max_epochs: int | None = 4
    threads: int = 1
    prune_at: int | None = None
    die_at: int | None = None
    checkpoint: Any = None
    reports: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    batches: int = 0
    checkpoints: int = 0
    model: bytes | None = None
    weights: bytes | None = None

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == self.die_at:
            raise Killed
        self.reports.append((step, dict(metrics)))

    def should_prune(self) -> bool:
        return self.prune_at is not None and self.reports[-1][0] >= self.prune_at

    def keep_alive(self) -> None:
        """No lease to renew."""

    def batch_end(self) -> None:
        self.batches += 1

    def save_checkpoint(self, state: Any) -> None:
        """As the study keeps it: through bytes, read back as plain data."""
        import io

        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        self.checkpoint = buffer.getvalue()
        self.checkpoints += 1

    def load_checkpoint(self) -> Any:
        import io

        import torch

        if self.checkpoint is None:
            return None
        return torch.load(io.BytesIO(self.checkpoint), map_location="cpu", weights_only=True)

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        self.model = Path(model).read_bytes()
        self.weights = None if weights is None else weights.read_bytes()

    def save_influences(self, influences: Any) -> None:
        self.influences = influences

    def shipped(self, task: Any, folder: Path) -> Path:
        """The kept files, as a study keeps them; the path of the one that ships."""
        path: Path = folder / task.file.name
        assert self.model is not None
        path.write_bytes(self.model)
        if self.weights is not None:
            (folder / "weights.safetensors").write_bytes(self.weights)
        return path

    def without_times(self) -> list[tuple[int, dict[str, float]]]:
        """The reports without what the clock says."""
        return [(step, {k: v for k, v in m.items() if not _is_measured(k)}) for step, m in self.reports]


def _is_measured(name: str) -> bool:
    return name == "train_seconds" or name.startswith("train_memory")


def _make_spec(
    family: str,
    data: str | DataSpec,
    objective: str | None = None,
    *,
    ship: str = "safetensors",
    constraints: tuple[Constraint, ...] = (),
    **fixed: Any,
) -> StudySpec:
    spec = DataSpec(name=data) if isinstance(data, str) else data
    metric = objective or ("r2" if spec.name == "diabetes" else "accuracy")
    direction = "minimize" if metric in ("log_loss", "rmse", "mae") else "maximize"
    return StudySpec(
        name="study",
        seed=3,
        data=spec,
        model=ModelSpec(family=family, fixed=fixed),
        objectives=(Objective(metric=metric, direction=direction),),  # type: ignore[arg-type]  # a literal
        constraints=constraints,
        space=SearchSpace(parameters=()),
        budget=Budget(trials=1),
        ship=ShipOptions(format=ship),
        measure=MeasureOptions(runtime="onnxruntime" if ship == "onnx" else "torch"),
    )


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., StudySpec]:
    """A study: family, data, objective, fixed hyperparameters."""
    return _make_spec


@pytest.fixture(scope="session")
def new_trial() -> type[RecordingTrial]:
    """The class of recording trials."""
    return RecordingTrial


@pytest.fixture(scope="session")
def killed() -> type[Killed]:
    """What a dying worker raises."""
    return Killed


@pytest.fixture(scope="session")
def measured() -> Callable[[str], bool]:
    """Whether the clock or the memory gives the metric."""
    return _is_measured
