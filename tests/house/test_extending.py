"""docs/extending.md is followed: its package is written, announced and used as the page says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import satisfice
from satisfice.data import DATASETS
from satisfice.launch.catalog import LAUNCHERS
from satisfice.search import SAMPLERS
from satisfice.train import TRAINERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w/]+\.(?:py|toml))`:\n\n```\w+\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))
GROUPS = re.findall(
    r"^\[project\.entry-points\.(\"[\w.]+\")\]\n(.*?)\n(?:\n|```)", PAGE, re.MULTILINE | re.DOTALL
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files, and its package as pip would announce it."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "my_package" / "__init__.py").touch()
    told = tmp_path / "my_package-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = [f"[{json.loads(group)}]\n{points.replace(chr(34), '')}\n" for group, points in GROUPS]
    (told / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for seam in (DATASETS, TRAINERS, SAMPLERS, LAUNCHERS):  # later tests find what was there before
        monkeypatch.setattr(seam, "_loaded", dict(seam._loaded))
        monkeypatch.setattr(seam, "_registered", set(seam._registered))
    return tmp_path


def test_the_page_has_all_seams() -> None:
    assert {json.loads(group) for group, _ in GROUPS} == {
        f"satisfice.{seam}" for seam in ("datasets", "trainers", "samplers", "launchers")
    }
    assert sorted(FILES) == [
        "moons.toml",
        "my_package/coin.py",
        "my_package/moons.py",
        "my_package/nearest_mean.py",
        "my_package/nice.py",
    ]


def test_each_recipe_takes_under_ten_steps() -> None:
    recipes = re.findall(r"^## (A .*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    steps = {title: len(re.findall(r"^\d+\. ", text, re.MULTILINE)) for title, text in recipes}
    assert set(steps) == {"A data set", "A family of models", "A sampler", "A launcher", "A metric"}
    assert all(1 < count < 10 for count in steps.values()), steps


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", PAGE)) - set(FILES)
    missing = [
        name for name in named if not any((at / name).exists() for at in (ROOT, ROOT / "src/satisfice"))
    ]
    assert len(named) > 10
    assert missing == []


def test_a_study_with_the_page_s_parts_runs(folder: Path) -> None:
    study = satisfice.create_study(folder / "moons.toml", storage=f"sqlite:///{folder}/moons.db")
    study.optimize()
    best = study.best()
    assert len(study.trials_dataframe()) == 4
    assert best.metrics["accuracy"] > 0.75  # a straight line gives 0.85
    frame = study.trials_dataframe()
    assert (frame["size_mb"] == frame["size_mb"].iloc[0]).all()
    path = folder / "winner.safetensors"
    study.save_model(best.number, path)
    assert path.stat().st_size == round(best.metrics["size_mb"] * 1e6)  # as `profile` had said
    row = {"east": 0.0, "north": 1.0}  # the top of the first half circle
    assert study.load_model(best.number).predict([row])[0] == 0


@pytest.mark.slow
def test_the_page_s_commands_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines():
        words = [sys.executable, "-m", "satisfice.cli.main", *line.split()[1:]]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(satisfice.load_study("moons", storage="sqlite:///satisfice.db").trials_dataframe()) == 4
