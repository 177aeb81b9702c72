"""``predict.py`` in a fresh interpreter that finds NumPy and ONNX Runtime, and nothing else."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.ship.shipped_models import ROWS, expected, write_bright, write_survival

from satisfice.ship.folder.predict_py import MODULES, predict_py


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with NumPy, ONNX Runtime and what that needs, and no other package."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("numpy", "numpy.libs", "onnxruntime", "onnxruntime.libs", "flatbuffers"):
        spec = importlib.util.find_spec(name.split(".")[0])
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent.parent / name
        if source.exists():
            (folder / name).symlink_to(source)
    return folder


def run(alone: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-W",
            "error",
            "-c",
            _START,
            str(alone),
            str(folder / "predict.py"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        env={},
    )


_START = """
import runpy, sys
sys.path.append(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_golden_answers_again(alone: Path, tmp_path: Path) -> None:
    write_survival(tmp_path)
    done = run(alone, tmp_path, "--golden")
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "golden.json").read_text())
    content["answers"][1]["probabilities"] = {"no": 0.7, "yes": 0.3}
    (tmp_path / "golden.json").write_text(json.dumps(content))
    done = run(alone, tmp_path, "--golden")
    assert done.returncode == 1
    assert "rows [1] of golden.json have other answers here" in done.stderr


def test_one_json_line_for_each_row(alone: Path, tmp_path: Path) -> None:
    write_survival(tmp_path)
    names = ("sex", "age", "boarded", "fare", "name")
    lines = [";".join(names), *(";".join(str(r[n] if r[n] is not None else "") for n in names) for r in ROWS)]
    (tmp_path / "rows.csv").write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    done = run(alone, tmp_path, str(tmp_path / "rows.csv"))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["label"] for a in answers] == ["yes", "no", "yes"]
    assert answers[0]["probabilities"]["yes"] == pytest.approx(expected(30, 1234.5, True, 31), abs=1e-6)
    assert "1 of column 'sex' (such as 'elf')" in done.stderr


def test_images_from_an_npy_file(alone: Path, tmp_path: Path) -> None:
    write_bright(tmp_path)
    np.save(
        tmp_path / "images.npy", np.stack([np.zeros((1, 2, 3)), np.full((1, 2, 3), 255)]).astype(np.uint8)
    )
    done = run(alone, tmp_path, str(tmp_path / "images.npy"))
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == [0, 1]
    assert run(alone, tmp_path, "--golden").returncode == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("age,fare,sex\n1,2,male\n", "lacks column 'boarded'"),
        ("age,fare,sex,boarded,age\n", "has several columns named 'age'"),
        ("age,fare,sex,boarded\n1,2,male,1.1.1970,5\n", "a row of 5 values; its first line has 4 names"),
        ("age,fare,sex,boarded\nold,2,male,1.1.1970\n", "column 'age' holds 'old', which is no number"),
        (None, "does not exist"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    alone: Path, tmp_path: Path, content: str | None, sentence: str
) -> None:
    write_survival(tmp_path)
    if content is not None:
        (tmp_path / "rows.csv").write_text(content)
    done = run(alone, tmp_path, str(tmp_path / "rows.csv"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_name_is_defined_by_two_of_its_modules() -> None:
    defined: Counter[str] = Counter()
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        for node in ast.parse(Path(spec.origin).read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined[node.name] += 1
            elif isinstance(node, ast.Assign):
                targets = [n for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
                defined.update(target.id for target in targets)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                defined[node.target.id] += 1
    assert [name for name, count in defined.items() if count > 1] == []
    assert len(defined) > 50


def test_it_imports_the_standard_library_numpy_and_the_runtime_only() -> None:
    imported = set()
    for node in ast.walk(ast.parse(predict_py())):
        if isinstance(node, ast.Import):
            imported |= {each.name.split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "PIL"}
