"""Habits of other tools: each is refused, and the advice is the line that the study file needs."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.stats import loguniform, randint, uniform

from satisfice.errors import SpecError
from satisfice.spec import parse_dict, parse_file
from satisfice.train.catalog import TRAINERS

KNOWN = {"search.sampler": ["auto", "tpe", "nsga2", "gp", "qmc", "random"], "search.pruner": ["auto", "none"]}
PARTS = {
    "top": "",
    "data": 'name = "digits"',
    "model": 'family = "mlp"',
    "objectives": 'accuracy = "maximize"',
    "constraints": "",
    "space": "l2 = { low = 0.0, high = 0.1 }",
    "budget": "trials = 5",
    "search": "",
}


def study_file(**changes: str) -> str:
    """A study file with other content in some tables; "top" stands above all of them."""
    parts = PARTS | changes
    tables = (f"[{name}]\n{body}\n" for name, body in parts.items() if name != "top")
    return "\n".join([parts["top"], 'name = "x"', *tables])


def refused(path: Path, text: str) -> SpecError:
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        parse_file(path, families=TRAINERS.get, known=KNOWN)
    return caught.value


LR = "learning_rate = { low = 0.0001, high = 0.1, log = true }"
CASES: list[tuple[str, str, str, str]] = [  # table, what is added there, key of the error, advice
    # parameters as other tools write them
    ("space", "lr = { low = 1e-4, high = 0.1, log = true }", "space.lr", f"write {LR}"),
    (
        "space",
        "learning_rate = { min = 1e-4, max = 0.1, log = true }",
        "space.learning_rate.min",
        f"write {LR}",
    ),
    (
        "space",
        'learning_rate = { type = "float", low = 1e-4, high = 0.1, log = true }',
        "space.learning_rate.type",
        f"write {LR}",
    ),
    (
        "space",
        'learning_rate = { distribution = "log_uniform", min = 1e-4, max = 0.1 }',
        "space.learning_rate.distribution",
        f"write {LR}",
    ),
    (
        "space",
        'learning_rate = { name = "lr", args = [1e-4, 0.1], log = true }',
        "space.learning_rate.name",
        f"write {LR}",
    ),
    ("space", 'learning_rate = [1e-4, 1e-1, "log-uniform"]', "space.learning_rate", f"write {LR}"),
    ("space", 'learning_rate = "loguniform(1e-4, 1e-1)"', "space.learning_rate", f"write {LR}"),
    ("space", 'dropout = "0.0 - 0.5"', "space.dropout", "write dropout = { low = 0.0, high = 0.5 }"),
    (
        "space",
        'width = { type = "int", min = 8, max = 64, step = 8 }',
        "space.width.type",
        "write width = { low = 8, high = 64, step = 8 }",
    ),
    (
        "space",
        'optimizer = { values = ["sgd", "adam"] }',
        "space.optimizer.values",
        'write optimizer = ["sgd", "adam"]',
    ),
    (
        "space",
        'optimizer = { type = "categorical", choices = ["sgd", "adam"] }',
        "space.optimizer.type",
        'write optimizer = ["sgd", "adam"]',
    ),
    ("space", 'dropout = { low = "0.1", high = 0.5 }', "space.dropout.low", "write low = 0.1"),
    ("space", 'dropout = { low = 0.1, high = 0.5, log = "true" }', "space.dropout.log", "write log = true"),
    (
        "space",
        "dropout = { low = 0.1, high = 0.5, step = 0.3 }",
        "space.dropout.step",
        "write high = 0.4 or high = 0.7",
    ),
    # hyperparameters by other names, or in the wrong table
    ("space", "batch = [32, 64]", "space.batch", "write batch_size = [32, 64]"),
    ("space", "units = { low = 8, high = 64 }", "space.units", "write width = { low = 8, high = 64 }"),
    ("space", "weight_decay = [0.0, 0.1]", "space.weight_decay", "write l2 = [0.0, 0.1]"),
    (
        "space",
        "n_layers = { low = 1, high = 3 }",
        "space.n_layers",
        "write hidden_layers = { low = 1, high = 3 }",
    ),
    ("space", "n_estimators = [10, 20]", "space.n_estimators", "leave it out, for nothing here is like it"),
    ("space", "epochs = { low = 1, high = 9 }", "space.epochs", "write epochs = 9 under [budget]"),
    ("space", 'activation = ["ReLU", "tanh"]', "space.activation", 'write "relu"'),
    ("space", 'activation = ["swish"]', "space.activation", 'write "silu"'),
    ("space", "trials = 50", "space.trials", "write trials = 50 under [budget]"),
    ("space", "seed = 3", "space.seed", "write seed = 3 at the top of the file"),
    ("model", "lr = 0.1", "model.lr", "write learning_rate = 0.1"),
    ("model", "epochs = 5", "model.epochs", "write epochs = 5 under [budget]"),
    ("model", 'optimizer = "SGD"', "model.optimizer", 'write optimizer = "sgd"'),
    ("model", 'batch_norm = "true"', "model.batch_norm", "write batch_norm = true"),
    ("model", "batch_norm = 1", "model.batch_norm", "write batch_norm = true"),
    ("model", 'dropout = "0.5"', "model.dropout", "write dropout = 0.5"),
    ("model", "dropout = [0.1, 0.2]", "model.dropout", "write dropout = [0.1, 0.2] there"),
    (
        "model",
        "dropout = { low = 0.1, high = 0.2 }",
        "model.dropout",
        "belongs in [space]: write dropout = { low",
    ),
    ("model", 'name = "mlp"', "model.name", "leave it out: family names the model"),
    ("top", "lr = 0.1", "lr", "write learning_rate = 0.1 under [model]"),
    # metrics by other names and in other units
    ("objectives", 'f1_score = "maximize"', "objectives.f1_score", 'write f1 = "maximize"'),
    ("objectives", 'auc = "maximize"', "objectives.auc", 'write roc_auc = "maximize"'),
    ("objectives", 'pr_auc = "maximize"', "objectives.pr_auc", 'write average_precision = "maximize"'),
    ("objectives", 'mse = "minimize"', "objectives.mse", 'write rmse = "minimize"'),
    ("objectives", 'val_loss = "minimize"', "objectives.val_loss", 'write log_loss = "minimize"'),
    ("objectives", 'params = "minimize"', "objectives.params", 'write n_parameters = "minimize"'),
    ("objectives", 'size_gb = "minimize"', "objectives.size_gb", 'write size_mb = "minimize"'),
    (
        "objectives",
        'inference_time_ms = "minimize"',
        "objectives.inference_time_ms",
        'write latency_ms = "minimize"',
    ),
    ("objectives", "f1 = true", "objectives.f1", 'write f1 = "maximize"'),
    ("objectives", 'f1 = "MAX"', "objectives.f1", 'write f1 = "maximize"'),
    ("objectives", 'f1 = ">= 0.9"', "objectives.f1", 'the bound under [constraints]: f1 = ">= 0.9"'),
    ("objectives", 'maximize = "acc"', "objectives.maximize", 'write accuracy = "maximize"'),
    (
        "objectives",
        'metric = "acc"\ndirection = "maximize"',
        "objectives.metric",
        'write accuracy = "maximize"',
    ),
    # bounds
    ("constraints", "size_mb = { max = 5 }", "constraints.size_mb", 'write size_mb = "<= 5"'),
    ("constraints", 'size_mb = { op = "<", value = 5 }', "constraints.size_mb", 'write size_mb = "< 5"'),
    ("constraints", 'size_mb = "5 MB"', "constraints.size_mb", 'write size_mb = "<= 5"'),
    ("constraints", 'size_mb = "< 10MB"', "constraints.size_mb", 'write size_mb = "< 10"'),
    ("constraints", 'size_mb = "<= 2 GB"', "constraints.size_mb", 'write size_mb = "<= 2000"'),
    ("constraints", 'size_gb = "<= 1"', "constraints.size_gb", 'write size_mb = "<= 1000"'),
    ("constraints", 'latency_ms = "latency < 5"', "constraints.latency_ms", 'write latency_ms = "< 5"'),
    ("constraints", 'latency_ms = "under 5ms"', "constraints.latency_ms", 'write latency_ms = "< 5"'),
    ("constraints", 'latency_seconds = "<= 1"', "constraints.latency_seconds", 'write latency_s = "<= 1"'),
    ("constraints", 'size_mb = "<= 0,5"', "constraints.size_mb", 'write size_mb = "<= 0.5"'),
    ("constraints", 'size_mb = "≤ 5"', "constraints.size_mb", 'write size_mb = "<= 5"'),
    ("constraints", "size_mb = [1, 5]", "constraints.size_mb", 'write size_mb = [">= 1", "<= 5"]'),
    ("constraints", 'size_mb = ["<=", 5]', "constraints.size_mb", 'write size_mb = "<= 5"'),
    ("constraints", "accuracy = 0.9", "constraints.accuracy", 'write accuracy = ">= 0.9", or "<="'),
    ("constraints", 'accuracy = ">= 90%"', "constraints.accuracy", 'write accuracy = ">= 0.9"'),
    ("constraints", 'acc = ">= 0.9"', "constraints.acc", 'write accuracy = ">= 0.9"'),
    ("constraints", 'error = "<= 0.25"', "constraints.error", 'write accuracy = ">= 0.75"'),
    ("constraints", 'mse = "<= 4"', "constraints.mse", 'write rmse = "<= 2"'),
    ("constraints", 'params = "< 1M"', "constraints.params", 'write n_parameters = "< 1000000"'),
    ("constraints", '"size_mb <= 5" = true', "constraints.size_mb <= 5", 'write size_mb = "<= 5"'),
    ("constraints", "seed = 3", "constraints.seed", "write seed = 3 at the top of the file"),
    # budget and search
    ("budget", "n_trials = 50", "budget.n_trials", "write trials = 50"),
    ("budget", "max_epochs = 5", "budget.max_epochs", "write epochs = 5"),
    ("budget", 'epochs = "3"', "budget.epochs", "write epochs = 3"),
    ("budget", "n_jobs = 2", "budget.n_jobs", "--workers N"),
    ("budget", "time_limit = 600", "budget.time_limit", "write timeout = 600"),
    ("budget", "timeout_minutes = 10", "budget.timeout_minutes", 'write timeout = "10m"'),
    ("budget", 'timeout = "10 minutes"', "budget.timeout", 'write timeout = "10m"'),
    ("budget", 'timeout = "0:10:00"', "budget.timeout", 'write timeout = "10m"'),
    ("budget", 'timeout = "600"', "budget.timeout", "write timeout = 600"),
    ("search", "n_trials = 5", "search.n_trials", "write trials = 5 under [budget]"),
    ("search", 'direction = "maximize"', "search.direction", "under [objectives]"),
    ("search", 'sampler = "TPESampler"', "search.sampler", 'write sampler = "tpe"'),
    ("search", 'pruner = "MedianPruner"', "search.pruner", 'write pruner = "auto"'),
    ("search", 'algorithm = "TPE"', "search.algorithm", 'write sampler = "tpe"'),
    ("search", "n_startup_trials = 5", "search.n_startup_trials", "leave it out"),
    # at the top
    ("top", 'objective = "acc"', "objective", 'write accuracy = "maximize" under [objectives]'),
    ("top", 'direction = "maximize"', "direction", "write each metric with its direction under [objectives]"),
    ("top", "n_trials = 50", "n_trials", "write trials = 50 under [budget]"),
    ("top", "timeout = 600", "timeout", "it belongs in [budget]: write timeout = 600 there"),
    ("top", "random_state = 5", "random_state", "write seed = 5"),
    ("top", "storage = 'sqlite:///x.db'", "storage", "--storage URL"),
    (
        "budget",
        "seed = 3",
        "budget.seed",
        "it belongs in the top of the file, above every [table]: write seed = 3",
    ),
]


@pytest.mark.parametrize(("table", "added", "key", "advice"), CASES, ids=[f"{c[0]}: {c[1]}" for c in CASES])
def test_the_advice_is_the_line_to_write(
    table: str, added: str, key: str, advice: str, tmp_path: Path
) -> None:
    kept = "" if added.startswith(("maximize", "metric")) else PARTS[table]
    error = refused(tmp_path / "study.toml", study_file(**{table: f"{kept}\n{added}"}))
    assert [problem.key for problem in error.problems] == [key]
    assert advice in error.hint


def quoted(advice: str) -> str | None:
    """The line that an advice quotes, where it stands by itself in the same table."""
    line = re.fullmatch(
        r'write ([a-z_0-9]+ = (?:"[^"]*"|\[[^\]]*\]|\{[^}]*\}|[\d.]+|true))(?:, or .*)?', advice
    )
    if line is None or line[1].startswith(("low", "log", "rmse", "l2", "seed")):
        return None
    return line[1]


LINES = sorted({(table, line) for table, _, _, advice in CASES if (line := quoted(advice)) is not None})


def test_there_are_lines_to_write() -> None:
    assert len(LINES) > 20


@pytest.mark.parametrize(("table", "line"), LINES)
def test_the_line_to_write_is_accepted(table: str, line: str) -> None:
    """What the advice quotes for the same table stands in a study file that parses."""
    kept = "" if line.startswith(PARTS[table].partition(" ")[0]) else PARTS[table]
    content = tomllib.loads(study_file(**{table: f"{kept}\n{line}"}))
    parse_dict(content, families=TRAINERS.get, known=KNOWN)


def test_trees_have_other_names(tmp_path: Path) -> None:
    space = "n_estimators = [10, 20]\nmax_leaf_nodes = [4, 8]"
    error = refused(tmp_path / "s.toml", study_file(model='family = "forest"', space=space))
    assert [p.hint for p in error.problems] == ["write trees = [10, 20]", "write max_leaves = [4, 8]"]
    error = refused(tmp_path / "s.toml", study_file(model='family = "linear"', space="C = [0.1, 1.0]"))
    assert error.hint == "write alpha instead; C of scikit-learn is its inverse: alpha = 1 / (C * rows)"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (FloatDistribution(1e-4, 0.1, log=True), "a = { low = 0.0001, high = 0.1, log = true }"),
        (IntDistribution(1, 9, step=2), "a = { low = 1, high = 9, step = 2 }"),
        (CategoricalDistribution(["x", "y"]), 'a = ["x", "y"]'),
        (loguniform(1e-4, 0.1), "a = { low = 0.0001, high = 0.1, log = true }"),
        (uniform(0, 0.5), "a = { low = 0.0, high = 0.5 }"),
        (randint(1, 5), "a = { low = 1, high = 4 }"),
        (range(1, 5), "a = { low = 1, high = 4 }"),
        ({"y", "x"}, 'a = ["x", "y"]'),
        ((1e-4, 1e-1, "log-uniform"), "a = { low = 0.0001, high = 0.1, log = true }"),
    ],
)
def test_objects_of_python_in_a_dict(value: Any, line: str) -> None:
    content = {
        "name": "x",
        "objectives": {"loss": "minimize"},
        "space": {"a": value},
        "budget": {"trials": 1},
    }
    with pytest.raises(SpecError) as caught:
        parse_dict(content, has_task=True)
    assert caught.value.key == "space.a"
    assert caught.value.hint == f"write {line}"


YAML = "name: x\nmodel:\n  family: mlp\nspace:\n  lr: [0.1, 0.2]\n"


@pytest.mark.parametrize(
    ("suffix", "text", "problem", "advice"),
    [
        (".yaml", YAML, "is YAML, not TOML", "[space] on a line of its own for space:"),
        (".toml", YAML, "is YAML, not TOML", 'write key = "value" for key: value'),
        (".json", json.dumps({"name": "x"}), "is JSON, not TOML", "satisfice.create_study(json.load("),
        (".json", '{"name": "x",\n}', "is JSON, not TOML", "satisfice.create_study(json.load("),
        (".py", "import optuna\n", "is Python, not TOML", "name a study file in TOML"),
        (".toml", "", "is empty", 'write name = "my-study" and the tables [data], [model]'),
        (".toml", '[study]\nname = "x"\n[study.space]\n', "no [study] around it", "move its keys to the top"),
        (".toml", "name = x\n", "Invalid value", 'write name = "x"'),
        (".toml", "a = True\n", "Invalid value", "write a = true"),
        (".toml", "a = [True, False]\n", "Invalid value", "true and false in lower case"),
        (".toml", "a = { low = .5 }\n", "Invalid value", "a digit before the decimal point"),
        (".toml", "a = { low = 1, }\n", "Invalid initial", "remove the comma before }"),
        (".toml", "a = { low = 1,\nhigh = 2 }\n", "Invalid initial", "on one line"),
        (".toml", "size_mb <= 5\n", "Expected '='", 'write size_mb = "<= 5"'),
        (".toml", "[space]\n[space]\n", "twice", "[space] stands twice: remove one"),
        (".toml", "a = 1\na = 2\n", "overwrite", "a stands twice: remove one"),
    ],
)
def test_what_is_no_toml(suffix: str, text: str, problem: str, advice: str, tmp_path: Path) -> None:
    error = refused(tmp_path / f"study{suffix}", text)
    assert len(error.problems) == 1
    assert problem in error.message
    assert advice in error.hint


@pytest.mark.parametrize(
    ("top", "key", "advice"),
    [
        (
            'objectives = ["acc", "latency_ms"]',
            "objectives",
            'accuracy = "maximize", latency_ms = "minimize"',
        ),
        (
            'objectives = [{ metric = "acc", direction = "maximize" }]',
            "objectives",
            'write accuracy = "maximize"',
        ),
        (
            'constraints = ["size_mb <= 5", "acc >= 0.9"]',
            "constraints",
            'size_mb = "<= 5" and accuracy = ">= 0.9"',
        ),
        ('constraints = [{ metric = "size_mb", max = 5 }]', "constraints", 'below size_mb = "<= 5"'),
        ('model = "mlp"', "model", 'below family = "mlp"'),
        ('data = "mails.csv"', "data", 'below file = "mails.csv"'),
        ("budget = 50", "budget", "below trials = 50"),
    ],
)
def test_a_value_where_a_table_belongs(top: str, key: str, advice: str, tmp_path: Path) -> None:
    tables = (f"[{name}]\n{body}\n" for name, body in PARTS.items() if name not in ("top", key))
    error = refused(tmp_path / "study.toml", "\n".join([top, 'name = "x"', *tables]))
    assert [problem.key for problem in error.problems] == [key]
    assert advice in error.hint


@pytest.mark.parametrize(
    ("word", "table"),
    [
        ("parameters", "space"),
        ("hyperparameters", "space"),
        ("search_space", "space"),
        ("metrics", "objectives"),
    ],
)
def test_a_table_by_another_name_is_not_missing_besides(word: str, table: str, tmp_path: Path) -> None:
    text = study_file().replace(f"[{table}]", f"[{word}]")
    error = refused(tmp_path / "study.toml", text)
    assert [problem.key for problem in error.problems] == [word]
    assert error.hint == f"the table is called [{table}]"
