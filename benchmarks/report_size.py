"""Time and size of a report with many trials, and how fast its explorer reacts in Chromium.

    python benchmarks/report_size.py                   # 5,000 and 20,000 trials, three objectives
    python benchmarks/report_size.py --trials 1000

Trials are drawn at random and "trained" by a formula, with thirty reports each, two of five stopped early;
the others have standard errors and rows of three scores.
What can be computed of a configuration is computed, as in a study of networks. Prints one JSON line a size.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from satisfice.choose import best
from satisfice.report import ReportContext, write_report
from satisfice.search.metric_models import MetricModels
from satisfice.spec import StudySpec, parse_dict
from satisfice.spec.influences import Influences
from satisfice.spec.trial import TrialRecord, TrialState

STUDY: dict[str, Any] = {
    "name": "large",
    "objectives": {"accuracy": "maximize", "latency_ms": "minimize", "size_mb": "minimize"},
    "constraints": {"size_mb": "<= 1", "latency_ms": "<= 2"},
    "space": {
        "width": {"low": 8, "high": 512, "log": True},
        "layers": {"low": 1, "high": 4},
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "optimizer": ["sgd", "adam", "adamw"],
        "momentum": {"low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
        "dropout": {"low": 0.0, "high": 0.5},
        "l2": {"low": 1e-7, "high": 1e-2, "log": True},
    },
    "budget": {"trials": 20_000, "epochs": 30},
}
SCORED = ("accuracy", "f1", "log_loss", "latency_ms")
ROWS = 600
CHROMIUM = "/usr/bin/chromium"
MOVES = 20


def profile(params: Mapping[str, Any]) -> dict[str, float]:
    """The size of a network."""
    width, layers = params["width"], params["layers"]
    return {"size_mb": 4 * (64 * width + (layers - 1) * width * width + 10 * width) / 1e6}


def trained(spec: StudySpec, n: int) -> list[TrialRecord]:
    """Trials with every digit that floats have, as real ones."""
    rng = np.random.default_rng(0)
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    records = []
    for number in range(n):
        params = spec.space.sample(rng)
        peak = math.exp(-((math.log10(params["learning_rate"]) + 2.2) ** 2))
        final = 0.6 + 0.35 * peak * (1 - 0.3 * params["dropout"]) + 0.01 * float(rng.standard_normal())
        steps = 30 if rng.random() < 0.6 else int(rng.integers(2, 12))
        curve = final * (1 - np.exp(-np.arange(1, steps + 1) / 5))
        size = profile(params)["size_mb"]
        records.append(
            TrialRecord(
                number=number,
                state=TrialState.COMPLETE if steps == 30 else TrialState.PRUNED,
                params=params,
                metrics={
                    "accuracy": float(curve[-1]),
                    "latency_ms": 0.01 + size * 0.7 + 0.001 * float(rng.random()),
                    "size_mb": size,
                    "f1": float(curve[-1]) - 0.02 * float(rng.random()),
                    "log_loss": 1 - float(curve[-1]) + 0.05 * float(rng.random()),
                    "train_seconds": float(rng.exponential(20)),
                },
                reports={s + 1: {"accuracy": float(v)} for s, v in enumerate(curve)},
                steps=steps,
                reason=None if steps == 30 else f"dominated at step {steps}",
                started_at=begun + timedelta(seconds=7 * number),
                finished_at=begun + timedelta(seconds=7 * number + 5),
                worker=f"host-{number % 4}:{1000 + number % 4}",
                measured_on="host-0",
                seed=number * 7919,
                standard_errors={n: float(rng.uniform(0.01, 0.02)) for n in SCORED} if steps == 30 else {},
            )
        )
    return records


def rows_of(records: Sequence[TrialRecord]) -> dict[int, Influences]:
    """What 600 scored rows did to the scores of complete trials: right or wrong, or a loss of each row."""
    rng = np.random.default_rng(1)
    hard = rng.random(ROWS)
    found = {}
    for r in records:
        if r.state == TrialState.COMPLETE:
            right = (hard + 0.3 * rng.standard_normal(ROWS) < r.metrics["accuracy"]).astype(float)
            loss = rng.exponential(1.0, ROWS) * (1.2 - right)
            by_row = {"accuracy": right, "f1": right * rng.choice([0.8, 1.2], ROWS), "log_loss": loss}
            made = Influences.of_rows({n: v - v.mean() for n, v in by_row.items()})
            found[r.number] = Influences.decoded(made.encoded())
    return found


def reactions(page_path: Path) -> dict[str, float]:
    """Milliseconds from a moved bound to the new answer, and to the next frame: medians of 20 moves."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(120_000)
        begun = time.monotonic()
        page.goto(f"file://{page_path}")
        page.locator("html[data-ready]").wait_for()
        opened = time.monotonic() - begun
        answers, frames = [], []
        for k in range(MOVES):
            found = page.evaluate(MOVE, 0.05 + 0.04 * k)
            answers.append(found["answer"])
            frames.append(found["frame"])
            page.wait_for_timeout(400)
        browser.close()
    return {
        "opens_s": round(opened, 2),
        "answers_ms": round(statistics.median(answers), 1),
        "worst_ms": round(max(answers), 1),
        "shown_ms": round(statistics.median(frames), 1),
    }


MOVE = """(value) => new Promise((done) => {
  const input = document.querySelector("#bounds input[type=number]");
  const begun = performance.now();
  input.value = String(value);
  input.dispatchEvent(new Event("input"));
  const answer = performance.now() - begun;
  requestAnimationFrame(() => done({ answer, frame: performance.now() - begun }));
})"""


def measure(n: int, *, browser: bool) -> dict[str, Any]:
    """One size."""
    spec = parse_dict(STUDY, has_task=True)
    records = trained(spec, n)
    rows = rows_of(records)
    chosen = best(records, spec.objectives, spec.constraints).number
    status = {
        "name": "large",
        "states": {},
        "budget": {"trials": n, "used": n},
        "workers": 0,
        "turned_away": 0,
    }
    with tempfile.TemporaryDirectory() as folder:
        begun, used = time.monotonic(), time.process_time()
        models = MetricModels(spec.space, spec.objectives, spec.constraints, records)
        context = ReportContext(status=status, chosen=chosen, default=0)
        path = write_report(spec, records, context, Path(folder), profile, models, lambda _: rows)
        found: dict[str, Any] = {
            "trials": n,
            "seconds": round(time.monotonic() - begun, 1),
            "processor_seconds": round(time.process_time() - used, 1),
            "megabytes": round(path.stat().st_size / 1e6, 2),
        }
        return found | (reactions(path) if browser and Path(CHROMIUM).exists() else {})


def main() -> None:
    """Measure the sizes asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, nargs="*", default=[5000, 20_000])
    parser.add_argument("--no-browser", action="store_true")
    arguments = parser.parse_args()
    for n in arguments.trials:
        print(json.dumps(measure(n, browser=not arguments.no_browser)), flush=True)


if __name__ == "__main__":
    main()
