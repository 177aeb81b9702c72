"""Studies in one SQLite database: Binh and Korn's problem (two objectives, two constraints), and one with a
single objective whose best value does not fit."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from playwright.sync_api import Browser, sync_playwright

from satisfice.dashboard import make_app
from satisfice.dashboard.server import make_dashboard_server
from satisfice.spec.constraint import parse_clause

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
NEAR = parse_clause("near <= 25")
FAR = parse_clause("far >= 7.7")
SIZE = parse_clause("size_mb <= 10")


def binh_korn(trial: optuna.Trial) -> tuple[float, float]:
    x, y = trial.suggest_float("x", 0, 5), trial.suggest_float("y", 0, 3)
    trial.set_constraint(NEAR.key, NEAR.violation((x - 5) ** 2 + y**2))
    trial.set_constraint(FAR.key, FAR.violation((x - 8) ** 2 + (y + 3) ** 2))
    return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2


def abc(trial: optuna.Trial) -> float:
    accuracy, size = {"A": (0.99, 15.0), "B": (0.95, 10.0), "C": (0.80, 8.0)}[
        trial.suggest_categorical("model", list("ABC"))
    ]
    trial.set_constraint(SIZE.key, SIZE.violation(size))
    return accuracy


def settle(app: Any) -> None:
    """Wait for the figures that are being drawn: no thread may outlive the test that started it."""
    details = app._inner._inner._inner._inner
    while any(drawn.busy for drawn in details._view._insights._drawn.values()):
        time.sleep(0.05)


@pytest.fixture(scope="session")
def settled() -> Callable[[Any], None]:
    """The function, for tests with an application of their own."""
    return settle


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> optuna.storages.BaseStorage:
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path_factory.mktemp('dashboard')}/s.db")
    two = optuna.create_study(
        study_name="binh-korn",
        storage=storage,
        directions=["minimize"] * 2,
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    one = optuna.create_study(study_name="abc", storage=storage, direction="maximize")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        two.set_metric_names(["cost", "distance"])
        one.set_metric_names(["accuracy"])
    # Beats many trials, and misses "near": (0 - 5)^2 + 0.5^2 = 25.25.
    two.enqueue_trial({"x": 0.0, "y": 0.5})
    two.optimize(binh_korn, n_trials=40)
    for model in "ABC":
        one.enqueue_trial({"model": model})
    one.optimize(abc, n_trials=3)
    empty = optuna.create_study(study_name="empty", storage=storage, directions=["minimize"] * 2)
    assert empty.trials == []
    return storage


@pytest.fixture(scope="session")
def address(storage: optuna.storages.BaseStorage) -> Iterator[str]:
    """A served dashboard on a free port."""
    app = make_app(storage)
    with make_dashboard_server(app, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        settle(app)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")  # two of them may not be open at once
def chromium() -> Iterator[Browser]:
    """A real browser."""
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()
