"""A real study to report on: networks on the digits in an Optuna study on SQLite, read back as records."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from satisfice.choose import best, records_from_optuna
from satisfice.report import ReportContext
from satisfice.report.context import StudyView
from satisfice.spec import StudySpec, parse_dict
from satisfice.spec.trial import TrialRecord, TrialState

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

STUDY: dict[str, Any] = {
    "name": "digits-edge",
    "seed": 7,
    "objectives": {"accuracy": "maximize", "flops": "minimize"},
    "constraints": {"size_mb": "<= 0.05", "flops": "<= 30_000"},
    "space": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "width": {"low": 4, "high": 512, "log": True},
        "optimizer": ["sgd", "adam"],
        "momentum": {"low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
        "l2": {"low": 1e-7, "high": 1e-1, "log": True},
    },
    "budget": {"trials": 40, "epochs": 8},
}


@dataclass(frozen=True)
class Reported:
    spec: StudySpec
    records: list[TrialRecord]
    context: ReportContext

    @property
    def view(self) -> StudyView:
        return StudyView(
            records=self.records,
            objectives=self.spec.objectives,
            constraints=self.spec.constraints,
            space=self.spec.space,
            chosen=self.context.chosen,
            default=self.context.default,
        )


def size_mb(width: int) -> float:
    return 4 * (64 * width + width + 10 * width + 10) / 1e6


def run_trial(
    spec: StudySpec, study: optuna.Study, data: Any, params: Mapping[str, Any]
) -> dict[int, dict[str, float]]:
    """Train one configuration for real; prune it after epoch 2 where it is worse than the median so far."""
    x, x_valid, y, y_valid = data
    study.enqueue_trial(dict(params))
    trial = study.ask({p.name: p.distribution for p in spec.space if p.name in params})
    net = MLPClassifier(
        hidden_layer_sizes=(params["width"],),
        learning_rate_init=params["learning_rate"],
        solver=params["optimizer"],
        momentum=params.get("momentum", 0.9),
        alpha=params["l2"],
        random_state=trial.number,
    )
    reports: dict[int, dict[str, float]] = {}
    earlier = [t.user_attrs["satisfice:second"] for t in study.trials if "satisfice:second" in t.user_attrs]
    for epoch in range(1, 9):
        net.partial_fit(x, y, classes=range(10))
        reports[epoch] = {"accuracy": float(net.score(x_valid, y_valid))}
        if epoch == 2:
            trial.set_user_attr("satisfice:second", reports[2]["accuracy"])
            if len(earlier) > 8 and reports[2]["accuracy"] < statistics.median(earlier):
                break
    trial.set_user_attr("satisfice:metrics", {"size_mb": size_mb(params["width"]), **reports[max(reports)]})
    flops = 2.0 * (64 + 10) * params["width"]
    for c, value in zip(spec.constraints, (size_mb(params["width"]), flops), strict=True):
        trial.set_constraint(c.key, c.violation(value))
    if max(reports) < 8:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, [reports[8]["accuracy"], flops])
    return reports


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Forty trainings on the digits, some stopped early."""
    spec = parse_dict(STUDY, has_task=True)
    study = optuna.create_study(
        storage=f"sqlite:///{tmp_path_factory.mktemp('digits')}/s.db", directions=["maximize", "minimize"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([o.metric for o in spec.objectives])
    x, y = load_digits(return_X_y=True)
    data = train_test_split(x / 16, y, test_size=0.3, random_state=0)
    rng = np.random.default_rng(7)
    start = {"learning_rate": 1e-3, "width": 100, "optimizer": "adam", "l2": 1e-4}
    proposals = [start, *(spec.space.sample(rng) for _ in range(39))]
    reports = [run_trial(spec, study, data, params) for params in proposals]
    records = [
        replace(
            r, reports=reports[r.number], steps=max(reports[r.number]), reason="below the median at step 2"
        )
        if r.state == TrialState.PRUNED
        else replace(r, reports=reports[r.number], steps=max(reports[r.number]))
        for r in records_from_optuna(study)
    ]
    chosen = best(records, spec.objectives, spec.constraints).number
    states = {s.name: n for s in TrialState if (n := sum(r.state == s for r in records))}
    status = {
        "name": spec.name,
        "states": states,
        "budget": {"trials": 40, "used": 40},
        "workers": 0,
        "turned_away": 3,
        "turned_away_by_constraint": {"size_mb <= 0.05": 3, "flops <= 30000": 1},
    }
    context = ReportContext(status=status, chosen=chosen, default=0, test_metrics={"accuracy": 0.9611})
    return Reported(spec, records, context)


@pytest.fixture(scope="module")  # two of them may not be open at once
def chromium() -> Iterator[Browser]:
    """A real browser."""
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of axe-core, which judges accessibility; from the npm registry, for this test alone."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed here")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--silent", "--ignore-scripts", "--prefix", str(folder), "axe-core@4"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("axe-core cannot be had from the npm registry here")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def axe_violations(page: Page, axe: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds on the whole page with every part opened, and in a trial's detail."""
    for summary in page.locator("summary").all():
        summary.click()
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations)")
    page.click("[aria-label='Open trial 0']")
    found += page.evaluate("axe.run('#trial').then((r) => r.violations)")
    return [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found]
