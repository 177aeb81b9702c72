"""Cross-validation of columns of text, of pictures, with near-duplicates, and with profiles."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satisfice
from satisfice.data import fold_of, load
from satisfice.data.text.corpus import TextSetting
from satisfice.errors import InputError
from satisfice.spec.study import DataSpec
from satisfice.spec.trial import TrialState

K = 3
N = 90


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of two classes; a patient has two rows, with a word that stands nowhere else."""
    rng = random.Random(3)
    rows = ["body,patient,amount,y"]
    for i in range(N):
        words = [f"word{rng.randrange(40) + 30 * (i % 2)}" for _ in range(12)]
        rows.append(f"{' '.join(words)} only{i // 2},{i // 2},{rng.gauss(0, 1):.3f},{'ab'[i % 2]}")
    folder = tmp_path_factory.mktemp("texts")
    (folder / "d.csv").write_text("\n".join(rows))
    return folder


def content(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "name": "crossed",
        "seed": 2,
        "data": {"file": str(folder / "d.csv"), "target": "y", "text": ["body"], "folds": K},
        "model": {"family": "linear"},
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_kb": "<= 100"},
        "space": {
            "alpha": {"low": 1e-4, "high": 10.0, "log": True},
            "vocabulary": {"low": 20, "high": 80},
        },
        "search": {"sampler": "random"},
        "budget": {"trials": 5},
    } | changes


def test_the_vocabulary_of_a_fold_is_of_its_training_rows(texts: Path) -> None:
    splits = load(DataSpec(file="d.csv", target="y", text=("body",), folds=K, groups="patient"), texts, 1)
    assert splits.corpus is not None
    setting = TextSetting(vocabulary=100_000, vocabulary_by="frequency")
    for k in range(K):
        fold = fold_of(splits, k)
        assert fold.corpus is not None
        known = set(fold.corpus.fitted(setting).terms[0])
        train, valid = (
            {word for cell in raw.items["body"] for word in str(cell).split()}
            for raw in (fold.raw_train, fold.raw_valid)
        )
        unseen = valid - train
        assert len(unseen) >= len(fold.valid) // 2
        assert unseen <= set(splits.corpus.fitted(setting).terms[0])
        assert known
        assert known <= train
        values = fold.corpus.values(setting)
        assert [len(each) for each in values] == [len(fold.train), len(fold.valid), len(fold.test)]


def test_a_study_of_texts_with_profiles(texts: Path, tmp_path: Path) -> None:
    """Each profile has its answer, scores are cross-validated, and the file is that of the refit."""
    study = satisfice.create_study(content(texts, profiles={"small": {"constraints": {"size_kb": "<= 4"}}}))
    study.optimize()
    done = [r for r in study.records(with_reports=True) if r.state is TrialState.COMPLETE]
    assert done
    for r in done:
        assert r.metrics["accuracy"] == pytest.approx(np.mean(r.fold_scores["accuracy"]))
        assert r.standard_errors["accuracy"] >= 0
        assert not {"train_loss", "validation_loss"} & set(r.metrics)
    small = study.best(profile="small")
    assert small.metrics["size_kb"] <= 4
    study.save_model(small.number, tmp_path / "small.onnx")
    assert (tmp_path / "small.onnx").stat().st_size == round(small.metrics["size_kb"] * 1000)
    assert all(not d.labels for d in study.diagnose())
    found = {each.finding for each in study.health()}
    assert not {"leak", "small_validation"} & found
    assert "test rows" in study.journal()
    assert "valid rows" not in study.journal()


def test_a_family_that_cannot_read_text_leaves_it_out(texts: Path) -> None:
    data = {"file": str(texts / "d.csv"), "target": "y", "drop": ["patient"], "folds": K}
    study = satisfice.create_study(
        content(
            texts,
            data=data,
            model={"family": "forest", "trees": 3},
            space={"max_depth": {"low": 1, "high": 3}},
            budget={"trials": 1},
        )
    )
    study.optimize()
    (record,) = study.records()
    assert record.state is TrialState.COMPLETE
    assert record.metrics["n_features"] == 1


@pytest.mark.parametrize("folds", [None, K])
def test_rows_that_either_joins_stay_together(folds: int | None, tmp_path: Path) -> None:
    """Rows i and i + 30 have one text, rows of one patient one patient: chains of both are whole."""
    rng = random.Random(4)
    bodies = [" ".join(f"word{rng.randrange(400)}" for _ in range(30)) for _ in range(30)]
    patients = [i if i < 30 else (i + 1) % 30 if i % 2 else 100 + i for i in range(60)]
    rows = ["row,body,patient,y", *(f"{i},{bodies[i % 30]},{patients[i]},{'ab'[i % 2]}" for i in range(60))]
    (tmp_path / "d.csv").write_text("\n".join(rows))
    spec = DataSpec(
        file="d.csv", target="y", text=("body",), groups="patient", near_duplicates="group", folds=folds
    )
    splits = load(spec, tmp_path, 1)
    home: dict[int, int] = {}
    parts = [fold_of(splits, k).raw_valid for k in range(folds)] if folds else [splits.raw_train]
    parts += [splits.raw_test] if folds else [splits.raw_valid, splits.raw_test]
    for at, raw in enumerate(parts):
        home |= {int(row): at for row in raw.items["row"]}
    assert len(home) == 60
    for i in range(60):
        for j in range(60):
            if i % 30 == j % 30 or patients[i] == patients[j]:
                assert home[i] == home[j]
    assert not [note for note in splits.notes if "nearly repeat" in str(note)]


def test_copies_in_several_folds_are_told(tmp_path: Path) -> None:
    rng = random.Random(4)
    bodies = [" ".join(f"word{rng.randrange(400)}" for _ in range(30)) for _ in range(20)]
    rows = ["body,y", *(f"{bodies[i // 4]},{'ab'[i // 4 % 2]}" for i in range(80))]
    (tmp_path / "d.csv").write_text("\n".join(rows))
    spec = DataSpec(file="d.csv", target="y", text=("body",), folds=K)
    splits = load(spec, tmp_path, 1)
    (told,) = [str(note) for note in splits.notes if "nearly repeat" in str(note)]
    apart = 0
    assert splits.parts is not None
    cells = np.array([str(cell) for cell in splits.raw_train.items["body"]])
    for cell, part in zip(cells, splits.parts, strict=True):
        apart += len(set(splits.parts[cells == cell].tolist())) > 1
        assert part < K
    assert f"{apart} of {len(splits.train)} validation rows" in told


def test_pictures_of_several_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name, level in (("cat", 60), ("dog", 180)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(15):
            pixels = rng.integers(level - 40, level + 40, (12, 12, 3)).astype(np.uint8)
            image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    study = satisfice.create_study(
        content(
            tmp_path,
            data={"folder": str(tmp_path / "photos"), "folds": 2},
            model={"family": "mlp", "hidden_layers": 1, "augment": 0.5, "averaging": "swa"},
            space={"image_size": {"choices": [6, 8]}, "width": {"low": 2, "high": 6}},
            budget={"trials": 2, "epochs": 4},
        )
    )
    study.optimize()
    for record in study.records():
        assert record.state is TrialState.COMPLETE
        study.save_model(record.number, tmp_path / f"{record.number}.onnx")
        size = (tmp_path / f"{record.number}.onnx").stat().st_size
        assert size == round(record.metrics["size_kb"] * 1000)
    assert study.confirm().test["accuracy"] >= 0


def test_groups_and_pictures_in_a_folder_do_not_go_together(tmp_path: Path) -> None:
    data = {"folder": str(tmp_path), "folds": 2, "groups": "patient"}
    with pytest.raises(InputError, match=r"data\.groups: goes with file, not with a folder"):
        satisfice.create_study(content(tmp_path, data=data))
