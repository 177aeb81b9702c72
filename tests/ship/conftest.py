"""Small trained models of every family, as model files of satisfice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from satisfice.data.features.scale import fit_target
from satisfice.data.features.table import TableEncoder, fit_table
from satisfice.ship.safetensors_file import Header
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Budget, DataSpec, ModelSpec, Objective, StudySpec

Arrays = dict[str, NDArray[Any]]


class Trial:
    """In memory."""

    number, seed, max_epochs, threads = 0, 5, 3, 1
    params: dict[str, Any] = {}  # noqa: RUF012  # never changed

    def __init__(self) -> None:
        self.model = b""

    def report(self, step: int, metrics: Any) -> None:
        """Nobody listens."""

    def should_prune(self) -> bool:
        return False

    def keep_alive(self) -> None:
        """No lease."""

    def batch_end(self) -> None:
        """No lease."""

    def save_checkpoint(self, state: Any) -> None:
        """Not taken up again."""

    def load_checkpoint(self) -> None:
        return None

    def save_model(self, model: Path, weights: Path | None = None) -> None:
        self.model = Path(model).read_bytes()

    def save_influences(self, influences: Any) -> None:
        self.influences = influences


def _task(family: str, data: str | DataSpec, task: str, **fixed: Any) -> Any:
    from satisfice.train import make_task

    metric = "r2" if task == "regression" else "accuracy"
    spec = StudySpec(
        name="study",
        seed=3,
        data=DataSpec(name=data) if isinstance(data, str) else data,
        model=ModelSpec(family=family, fixed=fixed),
        objectives=(Objective(metric=metric, direction="maximize"),),
        space=SearchSpace(parameters=()),
        budget=Budget(trials=1),
    )
    return make_task(spec)


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Any]]:
    """Trains once for each set of arguments; returns the model file and the task."""
    folder = tmp_path_factory.mktemp("trained")
    done: dict[str, tuple[Path, Any]] = {}

    def trained(family: str, data: str | DataSpec, task: str = "classification", **fixed: Any) -> Any:
        key = repr((family, data, task, sorted(fixed.items())))
        if key not in done:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SATISFICE_DEVICE", "cpu")
                study, trial = _task(family, data, task, **fixed), Trial()
                study.fit({}, trial)
            path = folder / f"{len(done)}.safetensors"
            path.write_bytes(trial.model)
            done[key] = path, study
        return done[key]

    return trained


MIXED = pd.DataFrame(
    {
        "width": [1.5, 2.5, np.nan, 4.0, 5.5, 6.0] * 20,
        "label": ["a", "b", "c", "a", "b", None] * 20,  # also the name of an output
        "v1": np.exp(np.random.default_rng(0).normal(size=120) * 3),  # also a name that values could have
        "day": np.datetime64("2020-02-27T06:30") + np.arange(120) * np.timedelta64(31, "h"),
    }
)


@pytest.fixture(scope="session")
def mixed_rows() -> pd.DataFrame:
    """A table with every kind of column."""
    return MIXED


@pytest.fixture(scope="session")
def mixed() -> TableEncoder:
    """Of a table with every kind of column."""
    return fit_table(MIXED)


def header(family: str, preprocessor: Any, classes: tuple[Any, ...], architecture: Any = None) -> Header:
    """Of an untrained model."""
    return Header(
        family=family,
        task="classification" if classes else "regression",
        classes=classes,
        architecture=architecture or {},
        preprocessor=preprocessor,
        target=None if classes else fit_target(np.array([1.0, 5.0, 7.5])),
    )


@pytest.fixture(scope="session")
def make_header() -> Callable[..., Header]:
    """The function above, for tests."""
    return header
