"""`Study.importance`, its command, and energies that say whether they were measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.errors import InputError, NoFeasibleTrial, SpecError

CONTENT: dict[str, Any] = {
    "name": "goes-by",
    "seed": 2,
    "data": {"name": "titanic"},
    "model": {"family": "linear"},
    "objectives": {"roc_auc": "maximize", "n_features": "minimize"},
    "constraints": {"n_features": "<= 4", "energy_mj": "<= 1e6", "train_energy_wh": "<= 1e6"},
    "space": {"select": {"low": 2, "high": 8}, "scaling": ["standard", "robust"]},
    "budget": {"trials": 3},
    "measure": {"watts": 5},
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: Any) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('importance')}/s.db"


@pytest.fixture(scope="module")
def study(url: str) -> Any:
    made = satisfice.create_study(CONTENT, storage=url)
    made.optimize()
    return made


def called(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_it_is_about_the_columns_that_the_best_trial_uses(study: Any) -> None:
    best = study.best()
    found = study.importance(repeats=4)
    assert (found.study, found.trial, found.metric, found.repeats) == ("goes-by", best.number, "roc_auc", 4)
    assert found.value == pytest.approx(best.metrics["roc_auc"])
    assert len(found.columns) == best.metrics["n_features"] == best.params["select"]
    assert found.columns[0].importance > 0.05
    assert {each.column for each in found.coefficients} == {each.column for each in found.columns}
    assert "gain" not in found.columns[0]
    assert json.loads(json.dumps(found)) == found
    assert study.importance(best.number, repeats=4) == found


def test_what_does_not_fit_was_never_trained(study: Any) -> None:
    assert all(record.params["select"] <= 4 for record in study.records())


def test_the_command_prints_a_table_or_a_document(study: Any, url: str, capsys: Any) -> None:
    code, out, _ = called(capsys, "importance", "goes-by", "--storage", url, "--repeats", "2")
    assert code == 0
    assert "coefficient" in out
    assert "2 permutations" in out
    code, out, _ = called(capsys, "importance", "goes-by", "--storage", url, "--repeats", "2", "--json")
    assert json.loads(out) == study.importance(repeats=2)
    code, out, _ = called(capsys, "importance", "goes-by", "--storage", url, "--repeats", "2", "--csv")
    assert out.splitlines()[0].startswith("column,importance,deviation")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--trial", "99"), "99"),
        (("--json", "--csv"), "both --json and --csv"),
        (("--repeats", "0"), "repeats"),
    ],
)
def test_bad_input_is_a_sentence(
    study: Any, url: str, capsys: Any, arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = called(capsys, "importance", "goes-by", "--storage", url, *arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


def test_a_study_that_trains_own_code_is_refused() -> None:
    class Task:
        def train(self, params: Any, trial: Any) -> dict[str, float]:
            return {"x": float(params["a"])}

    content = {
        "name": "own",
        "objectives": {"x": "maximize"},
        "space": {"a": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 1},
    }
    own = satisfice.create_study(content, task=Task())
    with pytest.raises(NoFeasibleTrial):
        own.importance()
    own.optimize()
    with pytest.raises(InputError):
        own.importance()


def test_an_estimated_energy_says_so(study: Any, url: str, capsys: Any, monkeypatch: Any) -> None:
    best = study.best()
    names = {"energy_mj", "train_energy_wh"}
    assert names <= best.metrics.keys()
    assert not any(name.endswith("estimated") for name in best.metrics)
    if not best.estimated:
        pytest.skip("this host's counters can be read")
    assert best.estimated == names
    # 5 W: the energy of a training is at most what all of its cores take meanwhile.
    assert 0 < best.metrics["train_energy_wh"] < 1
    _, out, _ = called(capsys, "best", "goes-by", "--storage", url, "--json")
    assert json.loads(out)["estimated"] == sorted(names)
    _, out, _ = called(capsys, "best", "goes-by", "--storage", url)
    assert "energy_mj (estimated)" in out
    _, out, _ = called(capsys, "pareto", "goes-by", "--storage", url)
    assert "energy_mj (estimated)" in out
    assert any("are estimated: processor time times 5 W" in note for note in study.report_context().notes)


def test_a_shipped_folder_tells_what_it_goes_by_and_what_is_estimated(study: Any, tmp_path: Path) -> None:
    best = study.best()
    study.ship(tmp_path / "shipped", best.number)
    card = (tmp_path / "shipped" / "README.md").read_text()
    table = card.partition("## What it goes by")[2].partition("## ")[0]
    promises = {
        p["metric"]: p for p in json.loads((tmp_path / "shipped" / "model.json").read_text())["promises"]
    }
    for column in study.importance(best.number, 1).columns:
        assert f"| {column.column} |" in table
    assert promises["energy_mj"].get("estimated", False) is bool(best.estimated)
    assert ("energy_mj (estimated)" in card) is bool(best.estimated)
    assert "estimated" not in promises["n_features"]


@pytest.mark.parametrize(
    ("family", "told"), [("mlp", "networks train on the processor here"), ("linear", "never measures it")]
)
def test_memory_of_a_gpu_is_refused_where_none_trains(family: str, told: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")
    space = {"width": {"low": 4, "high": 8}} if family == "mlp" else {"alpha": {"low": 0.1, "high": 1.0}}
    content = {
        **CONTENT,
        "name": "gpu",
        "model": {"family": family},
        "constraints": {"train_gpu_memory_mb": "<= 100"},
        "space": space,
    }
    with pytest.raises(SpecError, match=told) as refused:
        satisfice.create_study(content)
    assert "constraints.train_gpu_memory_mb" in str(refused.value)
