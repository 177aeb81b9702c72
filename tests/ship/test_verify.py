"""What `satisfice verify` finds in an honest folder, and in each kind of dishonest one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.ship.shipped_models import survival_model, write_bright, write_price, write_survival

from satisfice.cli.main import main
from satisfice.deploy.rescore import rescore
from satisfice.deploy.verify import Verified, verify_folder
from satisfice.errors import InputError
from satisfice.measure.host import host
from satisfice.ship.folder.card import model_card
from satisfice.ship.folder.description import Description, Promise, Score
from satisfice.ship.folder.standalone import golden_of, open_pipeline
from satisfice.ship.folder.write import write_folder
from satisfice.ship.runtime import version


def verdicts(found: Verified) -> dict[str, bool | None]:
    return {check.name: check.holds for check in found.checks}


def rewritten(folder: Path, told: Description) -> None:
    """The same model with another description, and checksums that are right."""
    write_folder(folder, (folder / "model.onnx").read_bytes(), told, golden_of(folder), model_card(told))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """500 passengers; the truth is the model's own answer but for every tenth."""
    folder = tmp_path / "for data"
    write_survival(folder)
    pipeline = open_pipeline(folder)
    draw = np.random.default_rng(3)
    rows = [
        {"age": int(a), "fare": int(f), "sex": s, "boarded": "1970-01-05"}
        for a, f, s in zip(
            draw.integers(1, 80, 500),
            draw.integers(0, 500, 500),
            draw.choice(["male", "female"], 500),
            strict=True,
        )
    ]
    answers, _ = pipeline.answer(rows)
    lines = ["age,fare,sex,boarded,survived"]
    for at, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        truth = answer["label"] if at % 10 else {"yes": "no", "no": "yes"}[answer["label"]]
        lines.append(",".join(map(str, (*row.values(), truth))))
    path = tmp_path / "test.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_honest_folder_holds(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "shipped"
    write_survival(folder)
    found = verify_folder(folder, data)
    assert verdicts(found) == {
        "checksum": True,
        "golden": True,
        "size_bytes": True,
        "latency_ms": None,  # nothing was promised
        "score": True,
    }
    score = found.checks[-1]
    assert score.found == {"accuracy": pytest.approx(0.9)}
    assert score.promised == {"accuracy": 0.9}


@pytest.mark.parametrize("name", ["model.onnx", "golden.json", "README.md", "predict.py", "Dockerfile"])
def test_a_flipped_bit_of_any_file_is_found(tmp_path: Path, name: str) -> None:
    write_survival(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    found = verify_folder(tmp_path)
    assert verdicts(found)["checksum"] is False
    assert found.holds is False
    assert name in found.checks[0].detail


def test_a_changed_digit_of_the_description_is_found(tmp_path: Path) -> None:
    write_survival(tmp_path)
    text = (tmp_path / "model.json").read_text()
    (tmp_path / "model.json").write_text(text.replace('"high": 80', '"high": 81'))
    assert verdicts(verify_folder(tmp_path))["checksum"] is False


def test_a_swapped_class_label_is_found_by_the_golden_answers(tmp_path: Path) -> None:
    told = write_survival(tmp_path)
    rewritten(tmp_path, replace(told, classes=("yes", "no")))
    assert verdicts(verify_folder(tmp_path))["golden"] is False
    swapped = survival_model(classes=("yes", "no"))
    write_folder(tmp_path, swapped, told, golden_of(tmp_path), "")
    found = verdicts(verify_folder(tmp_path))
    assert found["checksum"] is True
    assert found["golden"] is False


@pytest.mark.parametrize("difference", [1, -1])
def test_a_byte_more_or_less_is_found(tmp_path: Path, difference: int) -> None:
    told = write_survival(tmp_path)
    size = (tmp_path / "model.onnx").stat().st_size
    rewritten(tmp_path, replace(told, promises=(Promise(metric="size_bytes", value=size + difference),)))
    found = verify_folder(tmp_path)
    assert verdicts(found) == {"checksum": True, "golden": True, "size_bytes": False, "latency_ms": None}
    (check,) = [check for check in found.checks if check.name == "size_bytes"]
    assert (check.promised, check.found) == (size + difference, size)


@pytest.mark.parametrize(("bound", "holds"), [("<= 1", True), ("<= 0.001", False)])
def test_the_bound_on_size_is_judged_in_its_own_unit(tmp_path: Path, bound: str, holds: bool) -> None:
    told = write_survival(tmp_path)
    size = (tmp_path / "model.onnx").stat().st_size
    rewritten(tmp_path, replace(told, promises=(Promise(metric="size_mb", value=size / 1e6, bound=bound),)))
    assert verdicts(verify_folder(tmp_path))["size_bytes"] is holds


def latency_promise(value: float, **changed: Any) -> Promise:
    told: dict[str, Any] = {
        "metric": "latency_ms",
        "value": value,
        "low": value,
        "high": value,
        "host": host().fingerprint,
        "runtime": "onnxruntime",
        "version": version(),
    }
    return Promise(**{**told, **changed})


@pytest.mark.slow
def test_the_latency_promised_holds_and_half_of_it_does_not(tmp_path: Path) -> None:
    told = write_survival(tmp_path)
    rewritten(tmp_path, replace(told, promises=(latency_promise(1.0),)))
    looks = [next(c for c in verify_folder(tmp_path).checks if c.name == "latency_ms") for _ in range(3)]
    measured = min(look.found for look in looks)  # in no slow phase of the host
    cases: list[tuple[Promise, bool | None]] = [
        (latency_promise(measured), True),
        (latency_promise(measured / 2), False),
        (latency_promise(measured, bound=f"<= {measured * 3}"), True),
        (latency_promise(measured, bound=f"<= {measured / 3}"), False),
        (latency_promise(measured / 2, host="another"), None),
        (latency_promise(measured / 2, host="another", bound=f"<= {measured * 3}"), True),
    ]
    for promise, holds in cases:
        rewritten(tmp_path, replace(told, promises=(promise,)))
        found = verdicts(verify_folder(tmp_path))["latency_ms"]
        # Where it holds, a slow phase may leave it open.
        assert found is holds or (holds is True and found is None), promise


@pytest.mark.parametrize(
    ("stated", "holds"), [(0.85, True), (0.9, True), (0.905, True), (0.94, None), (0.99, False)]
)
def test_a_score_on_other_rows_is_judged_by_standard_errors(
    tmp_path: Path, data: Path, stated: float, holds: bool | None
) -> None:
    told = write_survival(tmp_path / "shipped")
    score = Score(split="test", rows=500, metrics={"accuracy": stated}, standard_errors={"accuracy": 0.009})
    rewritten(tmp_path / "shipped", replace(told, scores=(score,)))
    assert verdicts(verify_folder(tmp_path / "shipped", data))["score"] is holds


def test_another_score_on_the_same_rows_is_found_exactly(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "shipped"
    told = write_survival(folder)
    found = rescore(open_pipeline(folder), data)
    assert found.rows == 500
    assert found.standard_errors["accuracy"] == pytest.approx((0.9 * 0.1 / 500) ** 0.5, rel=0.25)
    for stated, holds in ((0.9, True), (0.905, False), (0.895, False)):
        score = Score(split="test", rows=500, metrics={"accuracy": stated}, digest=found.digest)
        rewritten(folder, replace(told, scores=(score,)))
        assert verdicts(verify_folder(folder, data))["score"] is holds


def test_scores_are_those_of_the_threshold(tmp_path: Path, data: Path) -> None:
    write_survival(tmp_path / "half")
    write_survival(tmp_path / "low", threshold=0.1)
    half, low = (rescore(open_pipeline(tmp_path / name), data) for name in ("half", "low"))
    assert low.metrics["recall"] > half.metrics["recall"]
    assert low.metrics["accuracy"] < half.metrics["accuracy"]
    for name in ("roc_auc", "average_precision", "log_loss"):
        assert low.metrics[name] == half.metrics[name]
    assert low.digest == half.digest


def test_a_regression_is_scored_too(tmp_path: Path) -> None:
    write_price(tmp_path / "price")
    path = tmp_path / "rows.csv"
    path.write_text("size,price\n1,1002\n2,1005\n3,\n")
    found = rescore(open_pipeline(tmp_path / "price"), path)
    assert found.rows == 2
    assert found.metrics["mae"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("age,fare,sex,boarded\n1,2,male,\n", "lacks column 'survived'"),
        ("age,fare,sex,boarded,survived\n1,2,male,,perhaps\n", "'perhaps', a class that the model does not"),
        ("age,fare,sex,boarded,survived\n1,2,male,,\n", "no row with a value of 'survived'"),
    ],
)
def test_data_that_do_not_fit_are_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    write_survival(tmp_path)
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(InputError, match=sentence):
        rescore(open_pipeline(tmp_path), tmp_path / "rows.csv")


def test_what_is_no_shipped_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no shipped folder"):
        verify_folder(tmp_path)
    write_bright(tmp_path)
    with pytest.raises(InputError, match="scores of images"):
        verify_folder(tmp_path, tmp_path / "rows.csv")
    (tmp_path / "model.onnx").unlink()
    found = verdicts(verify_folder(tmp_path))
    assert (found["checksum"], found["golden"], found["size_bytes"]) == (False, False, False)


def test_the_command_s_exit_codes(tmp_path: Path, data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "shipped"
    write_survival(folder)
    for arguments, code in (
        ([str(folder), "--data", str(data)], 0),
        ([str(tmp_path)], 2),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["verify", *arguments, "--json"])
        assert ended.value.code == code
    told = json.loads(capfd.readouterr().out)
    assert told["holds"] is None
    assert {check["name"] for check in told["checks"]} == {
        "checksum",
        "golden",
        "size_bytes",
        "latency_ms",
        "score",
    }
    (folder / "predict.py").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(folder)])
    assert ended.value.code == 1
    assert "FAILS  checksum" in capfd.readouterr().out


def test_figures_have_four_digits_and_a_unit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = write_survival(tmp_path)
    promise = Promise(metric="latency_us", value=98376.54480226334, bound="<= 1e6", runtime="onnxruntime")
    rewritten(tmp_path, replace(told, promises=(*told.promises, promise)))
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(tmp_path)])
    assert ended.value.code == 0
    lines = {line.split()[1]: line for line in capfd.readouterr().out.splitlines()}
    assert "promised 98.38 ms; found 0.0" in lines["latency_ms"]
    assert "(latency_us <= 1000000; here " in lines["latency_ms"]
    found = lines["latency_ms"].partition("found ")[2].partition(" ms")[0]
    assert len(found.replace(".", "").lstrip("0")) <= 4
    assert lines["golden"].endswith(f"promised {len(golden_of(tmp_path)[0])} answers; found 3 answers")
    size = (tmp_path / "model.onnx").stat().st_size
    assert f"promised {size} bytes; found {size} bytes" in lines["size_bytes"]


def test_a_shipped_folder_needs_neither_pandas_nor_torch_nor_scikit_learn(tmp_path: Path) -> None:
    write_price(tmp_path)
    code = (
        "import sys, pathlib, satisfice\n"
        "import satisfice.deploy.verify, satisfice.deploy.batch\n"
        "from satisfice.ship.folder.write import write_folder\n"
        f"satisfice.deploy.verify.verify_folder(pathlib.Path({str(tmp_path)!r}))\n"
        f"print(satisfice.load_shipped({str(tmp_path)!r}).predict([{{'size': 1}}]))\n"
        "print([n for n in ('pandas', 'torch', 'sklearn', 'sqlalchemy') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[1002.]", "[]"]
