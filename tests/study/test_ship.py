"""`Study.ship`: a folder whose promises, scores and answers are those of the file in it."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.store.test_released import unpacked, url_of

import satisfice
from satisfice.deploy.verify import verify_folder
from satisfice.errors import CannotWrite, InputError, NoFeasibleTrial
from satisfice.measure.host import host
from satisfice.ship import runtime
from satisfice.ship.folder.description import Description, ImageInput
from satisfice.ship.folder.parse import from_text
from satisfice.ship.folder.standalone import golden_of
from satisfice.ship.folder.write import FILES
from satisfice.study.after.promises import promises_of
from satisfice.train.conversion import converted

WARD = """
name = "ward"
seed = 3
[data]
file = "ward.csv"
target = "ill"
positive = "ja"
drop = ["id"]
[model]
family = "linear"
[objectives]
f1 = "maximize"
[constraints]
size_kb = "<= 50"
latency_ms = "<= 100"
recall = ">= 0.1"
[space]
alpha = { low = 1e-5, high = 1.0, log = true }
[budget]
trials = 3
epochs = 20
"""
SHARED = {
    "objectives": {"accuracy": "maximize"},
    "space": {"alpha": {"low": 1e-4, "high": 1e-1, "log": True}},
}


def write_ward(path: Path, n: int = 300) -> None:
    """Patients: numbers with a comma, dates with the day first, categories, missing cells, a constant."""
    draw = np.random.default_rng(11)
    lines = ["id;age;dose;smoker;seen;clinic;ill"]
    for i in range(n):
        age, dose, smoker = draw.integers(18, 90), draw.gamma(4, 300), draw.random() < 0.4
        ill = age / 40 + dose / 2000 + smoker + draw.normal(0, 0.7) > 3.2
        day, month = draw.integers(1, 28), draw.integers(1, 13)
        euros = f"{dose:,.2f}".replace(",", "'").replace(".", ",").replace("'", ".")
        cells = [
            "" if draw.random() < 0.15 else str(age),
            "" if draw.random() < 0.1 else euros,
            "" if draw.random() < 0.05 else "ja" if smoker else "nein",
            f"{day:02}.{month:02}.2023",
            "Nord",
            "ja" if ill else "nein",
        ]
        lines.append(";".join([str(i), *cells]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> satisfice.Study:
    """A trained study of which nothing is changed but what `confirm` keeps."""
    folder = tmp_path_factory.mktemp("ward")
    write_ward(folder / "ward.csv")
    (folder / "ward.toml").write_text(WARD)
    study = satisfice.create_study(folder / "ward.toml", storage=f"sqlite:///{folder}/ward.db")
    study.optimize()
    return study


@pytest.fixture(scope="module")
def shipped(ward: satisfice.Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The winner's folder, and what `ship` returned."""
    folder = tmp_path_factory.mktemp("shipped") / "ward"
    return ward.ship(folder), folder


def described(folder: Path) -> Description:
    return from_text((folder / "model.json").read_text(encoding="utf-8"), "model.json")


def rows_of_test(study: satisfice.Study) -> list[int]:
    """Row numbers of the test split in the data file."""
    task: Any = study._session.task
    rows: list[int] = task.splits.raw_test.items.index.tolist()
    return rows


def card(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def own(constraints: dict[str, str], **changes: Any) -> satisfice.Study:
    """A small study in memory."""
    study = satisfice.create_study(
        {
            "name": "wine",
            "data": {"name": "wine"},
            "model": {"family": "linear"},
            "budget": {"trials": 2, "epochs": 5},
            "constraints": constraints,
            "search": {"pruner": "none"},
            **SHARED,
            **changes,
        }
    )
    study.optimize()
    return study


def predict_py(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(folder / "predict.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_winner_ships_with_all_files(ward: satisfice.Study, shipped: tuple[Any, Path]) -> None:
    result, folder = shipped
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert result.files == {path.name: path.stat().st_size for path in folder.iterdir()}
    assert result.trial == result["trial"] == ward.confirm().number
    assert (result.study, result.directory, result.fits) == ("ward", str(folder), True)
    told = json.loads((folder / "model.json").read_text())
    assert told["promises"] == result.promises
    assert told["scores"] == result.scores
    json.dumps(result)


def test_each_bound_is_promised_with_its_measurement(shipped: tuple[Any, Path]) -> None:
    result, folder = shipped
    promises = {each["metric"]: each for each in result.promises}
    size = (folder / "model.onnx").stat().st_size
    assert {name: each["bound"] for name, each in promises.items()} == {
        "size_kb": "<= 50",
        "latency_ms": "<= 100",
        "recall": ">= 0.1",
        "n_parameters": None,
        "flops": None,
        "size_bytes": None,
    }
    assert promises["size_bytes"]["value"] == size == 1e3 * promises["size_kb"]["value"]
    timed = promises["latency_ms"]
    assert timed["low"] <= timed["value"] <= timed["high"]
    assert timed["host"] == host().fingerprint
    assert (timed["runtime"], timed["version"]) == ("onnxruntime", runtime.version())
    others = [each for name, each in promises.items() if name != "latency_ms"]
    assert {(each["runtime"], each["version"], each["host"]) for each in others} == {("", "", "")}


def test_the_scores_are_those_of_the_model_that_the_study_confirmed(
    ward: satisfice.Study, shipped: tuple[Any, Path]
) -> None:
    test, valid = shipped[0].scores
    assert (test["split"], valid["split"]) == ("test", "validation")
    assert test["metrics"] == pytest.approx(dict(ward.confirm().test), abs=1e-5)
    record = next(r for r in ward.records() if r.number == shipped[0].trial)
    assert valid["metrics"] == {name: record.metrics[name] for name in test["metrics"]}
    for name, (low, high) in test["intervals"].items():
        assert low <= test["metrics"][name] <= high
        assert test["standard_errors"][name] > 0


def test_a_file_of_the_test_rows_is_known_as_the_rows_of_the_promise(
    ward: satisfice.Study, shipped: tuple[Any, Path], tmp_path: Path
) -> None:
    lines = (ward.spec.base_dir / "ward.csv").read_text().splitlines()
    rows = rows_of_test(ward)
    random.Random(0).shuffle(rows)
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *(lines[1 + row] for row in rows)]) + "\n")
    found = verify_folder(shipped[1], tmp_path / "test.csv")
    checks = {check.name: check for check in found.checks}
    assert checks["score"].detail == "on the rows of the promise"
    assert checks["score"].found == pytest.approx(checks["score"].promised, abs=1e-9)
    assert all(checks[name].holds for name in ("checksum", "golden", "size_bytes", "score"))
    (tmp_path / "fewer.csv").write_text("\n".join([lines[0], *(lines[1 + row] for row in rows[1:])]) + "\n")
    (score,) = [c for c in verify_folder(shipped[1], tmp_path / "fewer.csv").checks if c.name == "score"]
    assert score.detail.startswith(f"on {len(rows) - 1} other rows")


def test_golden_rows_are_raw_rows_and_come_again(shipped: tuple[Any, Path]) -> None:
    _, folder = shipped
    golden = json.loads((folder / "golden.json").read_text())
    assert len(golden["rows"]) == len(golden["answers"]) == 20
    assert set(golden["rows"][0]) == {"age", "dose", "smoker", "seen"}
    cells = [cell for row in golden["rows"] for cell in row.values()]
    assert None in cells
    assert {type(cell) for cell in cells} <= {int, float, str, type(None)}
    assert all(row["seen"].startswith("2023-") for row in golden["rows"])
    assert predict_py(folder, "--golden").returncode == 0


def test_predict_py_answers_the_rows_of_the_person_s_own_file(
    ward: satisfice.Study, shipped: tuple[Any, Path]
) -> None:
    path = ward.spec.base_dir / "ward.csv"
    done = predict_py(shipped[1], str(path))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    model = ward.load_model(shipped[0].trial)
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == model.predict(rows).tolist()


def test_columns_have_the_ranges_of_the_training_rows(
    ward: satisfice.Study, shipped: tuple[Any, Path]
) -> None:
    columns = {column.name: column for column in described(shipped[1]).columns}
    assert set(columns) == {"age", "dose", "smoker", "seen"}
    ages = [
        int(line.split(";")[1] or -1)
        for line in (ward.spec.base_dir / "ward.csv").read_text().splitlines()[1:]
    ]
    outside = rows_of_test(ward)
    inside = [age for row, age in enumerate(ages) if age >= 0 and row not in outside]
    age = columns["age"]
    assert age.low is not None
    assert age.high is not None
    assert min(inside) <= age.low < age.high <= max(inside)
    assert (columns["dose"].rule.decimal, columns["seen"].rule.order) == (",", "dmy")
    assert columns["smoker"].low is None
    first, last = (np.datetime64(int(s or 0), "s") for s in (columns["seen"].low, columns["seen"].high))
    assert first.astype("datetime64[Y]") == last.astype("datetime64[Y]") == np.datetime64("2023")


def test_the_card_tells_data_bounds_and_how_it_was_found(shipped: tuple[Any, Path]) -> None:
    text = card(shipped[1])
    for said in (
        "`ward.csv`",
        "The positive class is `ja`",
        "Columns left out by the study: `id`",
        "column 'clinic' is ignored",
        "Bounds: `size_kb <= 50`, `latency_ms <= 100` and `recall >= 0.1`.",
        "is the one that the study chose",
        "| alpha |",
        "2023-",
    ):
        assert said in text
    assert "Warning" not in text
    assert "converted" not in text


def test_another_trial_ships_by_its_number_and_the_card_says_whose_choice_it_was(
    ward: satisfice.Study, shipped: tuple[Any, Path], tmp_path: Path
) -> None:
    other = next(r for r in ward.records() if r.feasible and r.number != shipped[0].trial)
    result = ward.ship(tmp_path / "other", trial=other.number)
    assert result.trial == described(tmp_path / "other").trial == other.number
    assert f"Trial {other.number} was named by a person" in card(tmp_path / "other")
    assert f"the study's own choice is trial {shipped[0].trial}" in card(tmp_path / "other")
    assert ward.confirm().number == shipped[0].trial
    again = ward.ship(tmp_path / "other")  # over a shipped folder: replaced
    assert again.trial == described(tmp_path / "other").trial == shipped[0].trial
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == sorted(FILES)


def test_equal_trials_give_equal_bytes(
    ward: satisfice.Study, shipped: tuple[Any, Path], tmp_path: Path
) -> None:
    ward.ship(tmp_path / "again", trial=shipped[0].trial)
    for name in ("model.onnx", "golden.json", "predict.py", "Dockerfile"):
        assert (tmp_path / "again" / name).read_bytes() == (shipped[1] / name).read_bytes()
    ward.save_model(shipped[0].trial, tmp_path / "saved.onnx")
    assert (tmp_path / "saved.onnx").read_bytes() == (shipped[1] / "model.onnx").read_bytes()


def test_a_trial_that_misses_a_bound_is_refused_unless_it_is_forced(tmp_path: Path) -> None:
    study = own({"log_loss": "<= 100"})
    study.change(constraints={"log_loss": "<= 1e-9"})
    with pytest.raises(NoFeasibleTrial, match="--trial N --force"):
        study.ship(tmp_path / "none")
    with pytest.raises(InputError, match=r"trial 1 does not fit: .* misses log_loss <= 1e-09 \(.*--force"):
        study.ship(tmp_path / "none", trial=1)
    assert list(tmp_path.iterdir()) == []
    result = study.ship(tmp_path / "forced", trial=1, force=True)
    assert result.fits is False
    assert "> **Warning:** it does not fit the bounds of its study: it misses log_loss <= 1e-09" in card(
        tmp_path / "forced"
    )
    assert predict_py(tmp_path / "forced", "--golden").returncode == 0


def test_the_converted_file_itself_must_fit(tmp_path: Path) -> None:
    study = own({"size_bytes": "<= 100000"}, ship={"format": "safetensors"})
    record = study.best()
    content, _ = converted(study.model_file(record.number))
    kept, larger = int(record.metrics["size_bytes"]), len(content)
    assert kept < larger, "then this test must look for another model"
    study.change(constraints={"size_bytes": f"<= {(kept + larger) // 2}"})
    assert study.best().feasible
    with pytest.raises(InputError, match=f"its ONNX file misses size_bytes <= .*{larger:,}"):
        study.ship(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_memory_and_throughput_are_measured_of_the_file(tmp_path: Path) -> None:
    bounds = {"memory_mb": "<= 1000", "throughput": ">= 1", "latency_p95_us": "<= 1e6"}
    result = own(bounds).ship(tmp_path / "wine")
    promises = {each["metric"]: each for each in result.promises}
    assert promises["memory_mb"]["low"] <= promises["memory_mb"]["value"] <= promises["memory_mb"]["high"]
    assert promises["throughput"]["value"] > 1
    assert promises["latency_p95_us"]["value"] >= promises["latency_ms"]["value"] * 1e3
    assert {promises[name]["bound"] for name in bounds} == {"<= 1000", ">= 1", "<= 1000000"}


def test_the_file_that_the_trial_was_judged_by_ships_byte_by_byte(tmp_path: Path) -> None:
    study = own({"size_kb": "<= 100", "latency_ms": "<= 50"})
    number = study.confirm().number
    assert number is not None
    content = study.model_file(number).read_bytes()
    result = study.ship(tmp_path / "wine")
    assert (tmp_path / "wine" / "model.onnx").read_bytes() == content
    promises = {each["metric"]: each for each in result.promises}
    assert promises["size_kb"]["value"] == len(content) / 1e3
    assert promises["latency_ms"]["low"] <= promises["latency_ms"]["value"] <= promises["latency_ms"]["high"]
    assert "converted" not in card(tmp_path / "wine")


def test_compression_and_threshold_of_the_trial_are_those_of_the_folder(tmp_path: Path) -> None:
    study = own(
        {"recall": ">= 0.9"},
        data={"name": "breast_cancer"},
        model={"family": "linear", "compression": "int8", "threshold": "auto"},
    )
    result = study.ship(tmp_path / "cells")
    told, record = described(tmp_path / "cells"), study.records()[result.trial]
    assert told.threshold == record.metrics["decision_threshold"] != 0.5
    assert {each["precision"] for each in result.promises if each["metric"].startswith("size")} == {"int8"}
    (tested,) = [each for each in result.scores if each["split"] == "test"]
    assert tested["metrics"] == pytest.approx(dict(study.confirm().test), abs=1e-6)
    rows, answers = golden_of(tmp_path / "cells")
    positive, cut = str(told.classes[1]), np.float32(told.threshold)
    for answer in answers:
        assert (answer["label"] == told.classes[1]) == (np.float32(answer["probabilities"][positive]) >= cut)
    assert rows


def test_what_was_timed_in_the_training_library_is_measured_anew_of_the_file(tmp_path: Path) -> None:
    study = own({"latency_ms": "<= 1000"}, measure={"runtime": "torch"})
    result = study.ship(tmp_path / "wine")
    (promise,) = [each for each in result.promises if each["metric"] == "latency_ms"]
    assert promise["runtime"] == "onnxruntime"
    assert promise["value"] != study.records()[result.trial].metrics["latency_ms"]
    assert "The study timed the trained model in the library that trained it." in card(tmp_path / "wine")


def test_a_promise_takes_the_interval_of_the_stored_measurement(ward: satisfice.Study) -> None:
    session, record = ward._session, ward.records()[0]
    measured = session.evaluator.remembered(record.params, None, [host().fingerprint])
    told = promises_of(ward.spec, record.metrics, measured, measured_on=None, precision="none")
    (timed,) = [each for each in told if each.metric == "latency_ms"]
    assert timed.value == record.metrics["latency_ms"]
    assert timed.low is not None
    assert timed.high is not None
    assert timed.low <= timed.value <= timed.high
    assert timed.host == host().fingerprint
    unknown = promises_of(ward.spec, record.metrics, [], measured_on="abc", precision="none")
    (timed,) = [each for each in unknown if each.metric == "latency_ms"]
    assert (timed.low, timed.high, timed.host) == (None, None, "abc")


def test_images_ship_with_their_pixels(tmp_path: Path) -> None:
    study = own(
        {"size_kb": "<= 100"},
        name="digits",
        data={"name": "digits", "limit": 300},
        model={"family": "mlp", "hidden_layers": 1, "width": 8},
        space={"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}},
    )
    result = study.ship(tmp_path / "digits")
    told = described(tmp_path / "digits")
    assert told.input == ImageInput(shape=(1, 8, 8), dtype="float64")
    assert told.classes == tuple(range(10))
    golden = json.loads((tmp_path / "digits" / "golden.json").read_text())
    assert np.array(golden["rows"][0]["image"]).shape == (1, 8, 8)
    assert type(golden["rows"][0]["image"][0][0][0]) is int
    assert result.scores[0]["metrics"] == pytest.approx(dict(study.confirm().test), abs=1e-5)
    assert predict_py(tmp_path / "digits", "--golden").returncode == 0


def test_a_target_that_is_written_with_a_comma_is_verified_as_it_is_read(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(size=120)
    lines = ["x;price", *(f"{a:.4f};{1000 * a + 5000 + draw.normal(0, 50):.1f}".replace(".", ",") for a in x)]
    (tmp_path / "prices.csv").write_text("\n".join(lines) + "\n")
    study = own(
        {"size_kb": "<= 100"},
        name="prices",
        data={"file": str(tmp_path / "prices.csv"), "target": "price"},
        objectives={"r2": "maximize"},
    )
    study.ship(tmp_path / "shipped")
    rows = rows_of_test(study)
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *(lines[1 + row] for row in rows)]) + "\n")
    (score,) = [
        c for c in verify_folder(tmp_path / "shipped", tmp_path / "test.csv").checks if c.name == "score"
    ]
    assert score.detail == "on the rows of the promise"
    assert score.found["r2"] == pytest.approx(score.promised["r2"])
    assert score.found["r2"] > 0.5


def test_a_study_of_the_first_release_ships(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    study = satisfice.load_study("patients", storage=url_of(folder))
    result = study.ship(tmp_path / "patients")
    before = dict(study.confirm().test)  # of the metrics of that time
    assert {name: result.scores[0]["metrics"][name] for name in before} == pytest.approx(before, abs=1e-5)
    columns = {column.name: column.rule.kind for column in described(tmp_path / "patients").columns}
    assert columns == {
        "age": "number",
        "dose": "number",
        "smoker": "category",
        "ward": "category",
        "seen": "moment",
    }
    done = predict_py(tmp_path / "patients", str(folder / "patients.csv"))
    with (folder / "patients.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [json.loads(line)["label"] for line in done.stdout.splitlines()]
    assert labels == study.load_model(result.trial).predict(rows).tolist()


class Own:
    def train(self, params: Any, trial: Any) -> dict[str, float]:
        return {"accuracy": params["alpha"]}


def test_own_code_is_refused(tmp_path: Path) -> None:
    study = satisfice.create_study({"name": "own", "budget": {"trials": 1}, **SHARED}, task=Own())
    study.optimize()
    with pytest.raises(InputError, match=r"trains code of its own.*is not available for own tasks"):
        study.ship(tmp_path / "own")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_ship_is_refused_and_nothing_is_written(ward: satisfice.Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no trial 99"):
        ward.ship(tmp_path / "none", trial=99)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    (tmp_path / "mine" / "model.json").write_text('{"format": 1, "mine": true}')
    with pytest.raises(InputError, match="holds other files"):
        ward.ship(tmp_path / "mine")
    assert (tmp_path / "mine" / "README.md").read_text() == "mine"
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is no folder"):
        ward.ship(tmp_path / "file")
    with pytest.raises(CannotWrite):
        ward.ship(tmp_path / "file" / "below")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine"]


def test_a_trial_without_a_model_or_an_end_is_refused(tmp_path: Path) -> None:
    study = own({"accuracy": ">= 0.1"}, budget={"trials": 3, "epochs": 5})
    study.model_file(1).unlink()
    with pytest.raises(InputError, match="trial 1 kept no model"):
        study.ship(tmp_path / "none", trial=1)
    other = own({"accuracy": ">= 0.1"}, name="ended", budget={"trials": 2, "epochs": 5})
    other.change(budget={"trials": 3})
    asked = other.ask()
    with pytest.raises(InputError, match="trial 2 is RUNNING, not complete"):
        other.ship(tmp_path / "none", trial=2, force=True)
    other.tell(asked, state="failed")
    with pytest.raises(InputError, match="trial 2 is FAIL, not complete"):
        other.ship(tmp_path / "none", trial=2, force=True)
    assert list(tmp_path.iterdir()) == []
