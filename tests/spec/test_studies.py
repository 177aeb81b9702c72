"""The ready studies: each parses, fits its family and its data, and brings a task that trains."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from satisfice.data import DATASETS
from satisfice.spec import check_against, load_task, parse_dict, parse_file, to_dict, to_toml, violations
from satisfice.train.catalog import TRAINERS

STUDIES = Path(__file__).parents[2] / "studies"
FILES = sorted(STUDIES.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_it_parses_and_survives_rendering(path: Path) -> None:
    spec = parse_file(path, families=TRAINERS.get)
    assert spec.name.replace("-", "_") == path.stem
    assert parse_dict(to_dict(spec)) == spec
    assert parse_dict(tomllib.loads(to_toml(spec))) == spec


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_it_goes_with_its_data(path: Path) -> None:
    spec = parse_file(path)
    if spec.model is None:
        assert spec.task is not None
        return
    assert spec.data is not None
    info = TRAINERS.get(spec.model.family)
    if spec.data.name is None:
        assert spec.data.folder is not None
        check_against(spec, info, "classification")
        assert "image" in info.kinds
        return
    data = DATASETS.get(spec.data.name)
    check_against(spec, info, data.task)
    assert data.kind in info.kinds


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_it_is_explained(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("#:schema ../docs/study.schema.json\n# ")
    assert text.count("#") >= 5


def test_the_ready_studies_cover_every_family() -> None:
    families = {spec.model.family for path in FILES if (spec := parse_file(path)).model is not None}
    assert families == {"mlp", "cnn", "linear", "forest", "boosting"}


@dataclass
class Trial:
    """What a task sees of a trial, kept in memory."""

    params: Mapping[str, Any]
    number: int = 0
    seed: int = 1
    max_epochs: int | None = 3
    threads: int = 1
    stop_at: int | None = None
    reports: dict[int, Mapping[str, float]] = field(default_factory=dict)
    checkpoint: Any = None
    model: Any = None

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        self.reports[step] = metrics

    def should_prune(self) -> bool:
        return self.stop_at is not None and max(self.reports) >= self.stop_at

    def keep_alive(self) -> None: ...

    def batch_end(self) -> None: ...

    def save_checkpoint(self, state: Any) -> None:
        self.checkpoint = state

    def load_checkpoint(self) -> Any:
        return self.checkpoint

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        self.model = model

    def save_influences(self, influences: Any) -> None:
        self.influences = influences


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
class TestOwnTask:
    """studies/own_task.py."""

    params: Mapping[str, Any] = {"width": 64, "rank": 8, "learning_rate": 0.01, "batch_size": 32}

    def task(self) -> Any:
        spec = parse_file(STUDIES / "own_task.toml")
        assert spec.task is not None
        return load_task(spec.task.entry, spec.base_dir, spec.task.options)

    def test_options_reach_it(self) -> None:
        assert self.task().noise == 0.1

    def test_profile_agrees_with_the_network(self) -> None:
        task = self.task()
        weights = sum(p.numel() for p in task.build(self.params).parameters() if p.ndim == 2)
        assert task.profile(self.params) == {"multiplications": weights}

    def test_network_takes_its_example(self) -> None:
        task = self.task()
        assert task.build(self.params)(task.example_input(self.params)).shape == (1, 10)

    def test_it_learns_reports_and_saves(self) -> None:
        trial = Trial(self.params)
        metrics = self.task().train(self.params, trial)
        assert list(trial.reports) == [1, 2, 3]
        assert trial.reports[3] == metrics
        assert metrics["accuracy"] > 0.8
        assert trial.model is not None

    def test_it_stops_when_pruned(self) -> None:
        trial = Trial(self.params, stop_at=2)
        metrics = self.task().train(self.params, trial)
        assert list(trial.reports) == [1, 2]
        assert metrics == trial.reports[2]
        assert trial.model is None

    def test_it_goes_on_from_a_checkpoint(self) -> None:
        task = self.task()
        first = Trial(self.params, max_epochs=2)
        task.train(self.params, first)
        second = Trial(self.params, max_epochs=3, checkpoint=first.checkpoint)
        task.train(self.params, second)
        assert list(second.reports) == [3]

    def test_part_of_the_space_fits_and_part_does_not(self) -> None:
        spec = parse_file(STUDIES / "own_task.toml")
        known = [c for c in spec.constraints if c.metric == "multiplications"]
        rng = np.random.default_rng(0)
        task = self.task()
        told = [violations(known, task.profile(spec.space.sample(rng))) for _ in range(500)]
        fits = [all(v <= 0 for v in missed.values()) for missed in told]
        assert 0.2 < np.mean(fits) < 0.8
