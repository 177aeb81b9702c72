"""Every independent error of a study file is told, in its order, and nothing that follows from one."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from satisfice.cli.main import main
from satisfice.errors import SpecError
from satisfice.spec import parse_dict, parse_file
from satisfice.train.catalog import TRAINERS

WRONG = """\
name = "my study"
sead = 7

[data]
name = "digits"
valid = 2

[model]
family = "mlp"
batch_normalisation = true

[objectives]
acuracy = "maximize"
latency_ms = "min"

[constraints]
size_mb = "5"
accuracy = ">= 1.5"

[space]
learning_rate = { low = 1.0, high = 1e-4 }
momentum = { low = 0.0, high = 0.9, when = { optimizr = ["sgd"] } }
optimizer = []

[budget]
trails = 60
epochs = 0

[search]
sampler = "tpee"
start = [{ learning_rate = 0.1 }, { dropout = 0.1 }]
"""
GOOD = """\
name = "x"
[data]
name = "digits"
[model]
family = "mlp"
[objectives]
accuracy = "maximize"
[space]
width = { low = 1, high = 9 }
dropout = { low = 0.1, high = 0.2, when = { width = [1] } }
[search]
start = [{ width = 2 }]
[budget]
trials = 5
"""
LEVEL = 'recall_at_precision = "maximize"\n'
KEYS = [
    "name",
    "sead",
    "data.valid",
    "model.batch_normalisation",
    "objectives.acuracy",
    "objectives.latency_ms",
    "constraints.size_mb",
    "constraints.accuracy",
    "space.learning_rate",
    "space.optimizer",
    "space.momentum.when.optimizr",
    "budget.trails",
    "budget.epochs",
    "search.start[1].dropout",
    "search.sampler",
]


def test_all_of_them_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(WRONG)
    with pytest.raises(SpecError) as caught:
        parse_file(path, families=TRAINERS.get, known={"search.sampler": ["tpe"]})
    error = caught.value
    assert [problem.key for problem in error.problems] == KEYS
    assert (error.key, error.message, error.hint) == (
        "name",
        '"my study" is not a study name',
        error.problems[0].hint,
    )
    lines = str(error).splitlines()
    assert len(lines) == len(KEYS)
    assert all(line.startswith(f"{path}: {key}: ") for line, key in zip(lines, KEYS, strict=True))
    assert all(line.endswith(")") for line in lines)
    assert all(problem.problems == (problem,) or len(problem.problems) == 1 for problem in error.problems)
    again: SpecError = pickle.loads(pickle.dumps(error))  # our own
    assert str(again) == str(error)


def test_each_is_one_line_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "study.toml"
    path.write_text(WRONG)
    with pytest.raises(SystemExit) as ended:
        main(["define", str(path), "--storage", f"sqlite:///{tmp_path}/x.db"])
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == len(KEYS)
    assert all(line.startswith(f"satisfice: {path}: ") for line in lines)
    assert not list(tmp_path.glob("*.db*"))


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        # a name that was meant for a required one does not make that one missing
        ("trials = 5", "trails = 5", ["budget.trails"]),
        ("trials = 5", "n_trials = 5", ["budget.n_trials"]),
        ("[budget]\ntrials = 5", "[budgets]\ntrials = 5", ["budgets"]),
        ('family = "mlp"', 'type = "mlp"', ["model.type"]),
        ("low = 1, ", "lov = 1, ", ["space.width.lov"]),
        # what names a parameter that is refused is not refused for it
        ("low = 1, ", "low = 'a', ", ["space.width.low"]),
        # a family that is unknown has no hyperparameters to compare with
        ('"mlp"', '"mpl"', ["model.family"]),
        # neither has a metric that is refused a bound or a second objective to contradict
        ('accuracy = "maximize"', 'acc = "maximise"', ["objectives.acc"]),
        # a level that is refused, or a table that was meant to hold it, is not missing besides
        ('accuracy = "maximize"', f"{LEVEL}[measure]\nprecision_level = 95", ["measure.precision_level"]),
        ('accuracy = "maximize"', f"{LEVEL}[measure]\nprecision_levl = 0.9", ["measure.precision_levl"]),
        ('accuracy = "maximize"', f"{LEVEL}[measures]\nprecision_level = 0.9", ["measures"]),
        # a table that is none has no content to complain of
        ('name = "x"', 'name = "x"\nconstraints = 5', ["constraints"]),
    ],
)
def test_nothing_follows_from_an_error(old: str, new: str, keys: list[str], tmp_path: Path) -> None:
    assert old in GOOD
    path = tmp_path / "study.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SpecError) as caught:
        parse_file(path, families=TRAINERS.get)
    assert [problem.key for problem in caught.value.problems] == keys


def test_a_dict_is_told_the_same() -> None:
    content = {"name": "x", "objectives": {"loss": "down"}, "space": {"a": 3}, "budget": {"trials": 0}}
    with pytest.raises(SpecError) as caught:
        parse_dict(content, has_task=True)
    assert [str(problem).partition(" (")[0] for problem in caught.value.problems] == [
        'study: objectives.loss: "down" is not a direction',
        "study: space.a: must be a range or a list of choices, not 3",
        "study: budget.trials: must be at least 1, not 0",
    ]
