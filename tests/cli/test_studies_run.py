"""The ready studies run to a reduced budget, as a person runs them, and spend exactly that."""

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from satisfice.cli.main import main
from satisfice.data import DATASETS
from satisfice.errors import DataError
from satisfice.spec import parse_file, violations
from satisfice.study import load_study
from satisfice.train.catalog import TRAINERS

STUDIES = Path(__file__).parents[2] / "studies"
FILES = sorted(STUDIES.glob("*.toml"))
TRIALS, EPOCHS = 3, 2

pytestmark = pytest.mark.slow


def reduced(path: Path, folder: Path) -> Path:
    """A copy of the study whose budget alone is smaller, with the code that it names beside it."""
    text = path.read_text()
    budget = {"trials": TRIALS}
    if "epochs" in tomllib.loads(text)["budget"]:
        budget["epochs"] = EPOCHS
    lines = "".join(f"{key} = {value}\n" for key, value in budget.items())
    text, found = re.subn(r"\[budget\]\n[^\[]*", f"[budget]\n{lines}\n", text)
    assert found == 1
    assert tomllib.loads(text)["budget"] == budget
    for code in STUDIES.glob("*.py"):
        shutil.copy(code, folder)
    pictures = tomllib.loads(text)["data"].get("folder") if "data" in tomllib.loads(text) else None
    if pictures is not None:
        writer = [sys.executable, str(STUDIES / "write_photos.py"), "digits", str(folder / pictures)]
        subprocess.run([*writer, "--most", "30"], check=True)
    (folder / path.name).write_text(text)
    return folder / path.name


def skip_without_data(path: Path) -> None:
    """Skip where the package that the data is read from is not installed."""
    data = parse_file(path, families=TRAINERS.get).data
    if data is None or data.name is None:
        return
    try:
        DATASETS.get(data.name).read()
    except DataError as error:
        pytest.skip(str(error))


def run(path: Path) -> dict[str, Any]:
    """What ``satisfice run --json`` prints in the study's folder, after exit code 0 or 1 (nothing fits)."""
    out, err = io.StringIO(), io.StringIO()
    printed = (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err))
    with contextlib.chdir(path.parent), printed[0], printed[1], pytest.raises(SystemExit) as ended:
        main(["run", path.name, "--json"])
    result: dict[str, Any] = json.loads(out.getvalue() or "{}")
    assert ended.value.code == (0 if result.get("best") else 1), err.getvalue()
    return result


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_it_spends_its_budget_on_what_may_fit(path: Path, tmp_path: Path) -> None:
    skip_without_data(path)
    result = run(reduced(path, tmp_path))
    study = load_study(result["name"], storage=f"sqlite:///{tmp_path}/satisfice.db")
    records = study.records()
    assert len(records) == TRIALS
    assert {record.state for record in records} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert any(record.state is TrialState.COMPLETE for record in records)
    for record in records:
        if record.state is TrialState.COMPLETE:
            assert {o.metric for o in study.spec.objectives} <= record.metrics.keys()
            assert record.feasible is all(
                v <= 0 for v in violations(study.spec.constraints, record.metrics).values()
            )
            assert study.model_file(record.number).is_file()
    feasible = [r.number for r in records if r.state is TrialState.COMPLETE and r.feasible]
    if feasible:
        assert result["best"]["number"] in feasible
        assert result["test"] or study.spec.task is not None  # own code has no test split that we know of
    else:
        assert result["best"] is None
        assert result["failure"]
    assert (tmp_path / result["report"]).is_file()
