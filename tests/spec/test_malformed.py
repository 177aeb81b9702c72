"""Malformed study files: each is refused in one sentence that names file, key and fix."""

from __future__ import annotations

import copy
import datetime as dt
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.errors import SpecError
from satisfice.spec import parse_dict, parse_file, to_dict
from satisfice.train.catalog import TRAINERS

GOOD = """\
name = "digits-edge"
seed = 7

[data]
name = "digits"

[model]
family = "mlp"
batch_norm = true

[objectives]
accuracy = "maximize"
latency_ms = "minimize"

[constraints]
size_mb = "<= 0.5"

[space]
learning_rate = { low = 1e-4, high = 1e-1, log = true }
hidden_layers = { low = 1, high = 4 }
optimizer = ["sgd", "adam"]
momentum = { low = 0.0, high = 0.99, when = { optimizer = ["sgd"] } }

[budget]
trials = 60
epochs = 30

[search]
start = [{ learning_rate = 1e-3, optimizer = "adam" }]
"""


class Case(NamedTuple):
    """One change to the good file, and what is said about it."""

    old: str
    new: str
    key: str
    problem: str
    fix: str


LR = "learning_rate = { low = 1e-4, high = 1e-1, log = true }"
SIZE = 'size_mb = "<= 0.5"'
MOMENTUM = '{ low = 0.0, high = 0.99, when = { optimizer = ["sgd"] } }'

CASES = {
    # keys
    "unknown top-level key": Case("seed = 7", "sead = 7", "sead", "unknown key", "did you mean 'seed'?"),
    "unknown table": Case(
        "[objectives]", "[objective]", "objective", "unknown key", "did you mean 'objectives'?"
    ),
    "unknown key": Case(
        "trials = 60", "trails = 60", "budget.trails", "unknown key", "did you mean 'trials'?"
    ),
    "key of another table": Case(
        "epochs = 30",
        "epochs = 30\nreplicate = 2",
        "budget.replicate",
        "unknown key",
        "it belongs in [search]",
    ),
    "key above its table": Case("seed = 7", "trials = 60", "trials", "unknown key", "it belongs in [budget]"),
    "key of the top in a table": Case(
        "epochs = 30",
        "epochs = 30\nseed = 1",
        "budget.seed",
        "unknown key",
        "it belongs in the top of the file",
    ),
    "unknown key of a parameter": Case(
        "log = true",
        "logs = true",
        "space.learning_rate.logs",
        "unknown key",
        "did you mean 'log'?",
    ),
    "empty key": Case("seed = 7", '"" = 7', "", "'' is not a key", "a key is a printable string, not empty"),
    # what is missing
    "name is missing": Case('name = "digits-edge"', "", "name", "is missing", 'write name = "digits-edge"'),
    "trials is missing": Case("trials = 60", "", "budget.trials", "is missing", "write trials = 60"),
    "no model": Case(
        '[model]\nfamily = "mlp"\nbatch_norm = true',
        "",
        "",
        "the table [model] is missing",
        "or [task] for your own",
    ),
    "no data": Case(
        '[data]\nname = "digits"', "", "", "the table [data] is missing", "give [data] and [model]"
    ),
    "no budget": Case(
        "[budget]\ntrials = 60\nepochs = 30\n",
        "",
        "",
        "the table [budget] is missing",
        "add it: What the study may spend",
    ),
    "no objective": Case(
        'accuracy = "maximize"\nlatency_ms = "minimize"',
        "",
        "objectives",
        "names no metric",
        'for instance accuracy = "maximize"',
    ),
    "model without family": Case('family = "mlp"', "", "model.family", "is missing", 'write family = "mlp"'),
    "low without high": Case(
        "low = 1, high = 4", "low = 1", "space.hidden_layers.high", "is missing", "write high = 0.5"
    ),
    # types
    "string for an integer": Case(
        "trials = 60", 'trials = "60"', "budget.trials", 'must be an integer, not "60"', "write trials = 60"
    ),
    "float for an integer": Case(
        "trials = 60", "trials = 60.0", "budget.trials", "must be an integer, not 60.0", "write trials = 60"
    ),
    "bool for a number": Case(
        "low = 1,", "low = true,", "space.hidden_layers.low", "must be a number, not true", "write low = 0.0"
    ),
    "bool for an integer": Case(
        "trials = 60", "trials = true", "budget.trials", "must be an integer, not true", "write trials = 60"
    ),
    "string for a flag": Case(
        "log = true",
        'log = "yes"',
        "space.learning_rate.log",
        'must be true or false, not "yes"',
        "write log = true",
    ),
    "value for a table": Case(
        "seed = 7",
        "seed = 7\nmeasure = 3",
        "measure",
        "must be a table, not 3",
        "write [measure] on a line of its own",
    ),
    "table for a name": Case(
        'name = "digits-edge"',
        "name = {}",
        "name",
        "must be a string, not a table",
        'write name = "digits-edge"',
    ),
    "list for a direction": Case(
        'accuracy = "maximize"',
        'accuracy = ["maximize"]',
        "objectives.accuracy",
        "a list is not a direction",
        'write accuracy = "maximize"',
    ),
    "fixed value in the space": Case(
        LR,
        "learning_rate = 0.1",
        "space.learning_rate",
        "must be a range or a list of choices, not 0.1",
        "[model]",
    ),
    "range in the model": Case(
        "batch_norm = true",
        "width = { low = 1, high = 2 }",
        "model.width",
        "must be one value, not a table",
        "a range belongs in [space]",
    ),
    "date as a hyperparameter": Case(
        "batch_norm = true",
        "batch_norm = 2026-01-01",
        "model.batch_norm",
        "2026-01-01 is not a value of a hyperparameter",
        "write a finite number",
    ),
    "infinite number": Case(
        "high = 1e-1", "high = inf", "space.learning_rate.high", "must be finite, not inf", "write high = 0.5"
    ),
    "not a number": Case(
        "low = 1e-4", "low = nan", "space.learning_rate.low", "must be finite, not nan", "write low"
    ),
    "huge integer": Case("seed = 7", f"seed = {10**30}", "seed", f"{10**30} is too large", "write seed = 7"),
    # ranges
    "low above high": Case(
        "low = 1, high = 4", "low = 4, high = 1", "space.hidden_layers", "low 4 is above high 1", "swap them"
    ),
    "log of zero": Case(
        "low = 1e-4",
        "low = 0.0",
        "space.learning_rate.low",
        "log = true needs a low above 0, not 0.0",
        "give a small positive low, or remove log",
    ),
    "log with step": Case(
        "log = true",
        "log = true, step = 0.1",
        "space.learning_rate.step",
        "does not go with log = true",
        "remove one of the two",
    ),
    "step of zero": Case(
        "low = 1, high = 4",
        "low = 1, high = 4, step = 0",
        "space.hidden_layers.step",
        "must be above 0, not 0",
        "step",
    ),
    "step that misses high": Case(
        "low = 1, high = 4",
        "low = 1, high = 4, step = 2",
        "space.hidden_layers.step",
        "steps of 2 from 1 never reach high 4",
        "write high = 3 or high = 5",
    ),
    "more steps than can be counted": Case(
        "low = 1, high = 4",
        "low = 1.0, high = 1e40, step = 0.5",
        "space.hidden_layers.step",
        "0.5 is too small for this range",
        "leave it out",
    ),
    "endless range": Case(
        "low = 1, high = 4",
        "low = -1.5e308, high = 1.5e308",
        "space.hidden_layers",
        "-1.5e+308 to 1.5e+308 is too wide",
        "bring the ends closer together",
    ),
    "float step of integers": Case(
        "low = 1, high = 4",
        "low = 1, high = 4, step = 0.5",
        "space.hidden_layers.step",
        "must be an integer where low and high are integers, not 0.5",
        "write step = 1, or low = 1.0",
    ),
    "no choice": Case('["sgd", "adam"]', "[]", "space.optimizer", "has no choice", "name at least one value"),
    "choice twice": Case(
        '["sgd", "adam"]',
        '["sgd", "adam", "sgd"]',
        "space.optimizer",
        '"sgd" stands twice',
        "remove one of them",
    ),
    "equal choices": Case(
        '["sgd", "adam"]',
        "[1, true]",
        "space.optimizer",
        "1 and true are the same value",
        "remove one of them",
    ),
    "choice that is a table": Case(
        '["sgd", "adam"]', "[{}]", "space.optimizer", "a table is not a value", "use strings, finite numbers"
    ),
    "choices beside a range": Case(
        "low = 1, high = 4",
        "low = 1, high = 4, choices = [1]",
        "space.hidden_layers.low",
        "stands beside `choices`",
        "give either choices or low and high",
    ),
    "empty space": Case(
        GOOD[GOOD.index("[space]") : GOOD.index("[budget]")],
        "[space]\n\n",
        "space",
        "has no parameter",
        "name at least one",
    ),
    "fixed and searched": Case(
        "batch_norm = true",
        "hidden_layers = 2",
        "space.hidden_layers",
        "is fixed in [model] and searched here",
        "remove one of the two",
    ),
    "parameter named as a metric": Case(
        "hidden_layers =",
        "accuracy =",
        "space.accuracy",
        "is the name of a metric as well",
        "rename the parameter",
    ),
    # conditions
    "when on an unknown parameter": Case(
        "when = { optimizer",
        "when = { optimiser",
        "space.momentum.when.optimiser",
        '"optimiser" is not a parameter of the space',
        "did you mean 'optimizer'?",
    ),
    "when on a value never taken": Case(
        'when = { optimizer = ["sgd"] }',
        'when = { optimizer = ["adamw"] }',
        "space.momentum.when.optimizer",
        '"optimizer" never takes the value "adamw"',
        'it takes "sgd", "adam"',
    ),
    "when on an int out of range": Case(
        'when = { optimizer = ["sgd"] }',
        "when = { hidden_layers = [5] }",
        "space.momentum.when.hidden_layers",
        '"hidden_layers" never takes the value 5',
        "it takes integers from 1 to 4",
    ),
    "when on a float": Case(
        'when = { optimizer = ["sgd"] }',
        "when = { learning_rate = [0.01] }",
        "space.momentum.when.learning_rate",
        '"learning_rate" is a float, which hardly ever equals a listed value',
        "make learning_rate a list of choices or an int",
    ),
    "when on itself": Case(
        'when = { optimizer = ["sgd"] }',
        "when = { momentum = [1] }",
        "space.momentum.when.momentum",
        '"momentum" is a float',
        "list of choices",
    ),
    "when in a circle": Case(
        'optimizer = ["sgd", "adam"]\nmomentum = { low = 0.0, high = 0.99, when = { optimizer = ["sgd"] } }',
        'optimizer = { choices = ["sgd", "adam"], when = { momentum = [1] } }\n'
        'momentum = { low = 0, high = 1, when = { optimizer = ["sgd"] } }',
        "space.optimizer.when",
        "depends on itself: optimizer -> momentum -> optimizer",
        "remove one of these conditions",
    ),
    "when that excludes itself": Case(
        f"momentum = {MOMENTUM}",
        'momentum = { choices = [0, 1], when = { optimizer = ["sgd"] } }\n'
        'nesterov = { choices = [true, false], when = { momentum = [1], optimizer = ["adam"] } }',
        "space.nesterov.when",
        'is never active: its conditions on "optimizer" exclude each other',
        "change or remove one of them",
    ),
    "when without a list": Case(
        'optimizer = ["sgd"] }',
        'optimizer = "sgd" }',
        "space.momentum.when.optimizer",
        'must be a list of values, not "sgd"',
        'write optimizer = ["sgd"]',
    ),
    "when that is no table": Case(
        'when = { optimizer = ["sgd"] }',
        'when = "optimizer"',
        "space.momentum.when",
        'must be a table, not "optimizer"',
        "write { key = value }",
    ),
    # metrics and bounds
    "unknown metric": Case(
        'accuracy = "maximize"',
        'acuracy = "maximize"',
        "objectives.acuracy",
        "unknown metric",
        "did you mean 'accuracy'?",
    ),
    "unknown direction": Case(
        '"maximize"', '"maximise"', "objectives.accuracy", '"maximise" is not a direction', '"maximize"'
    ),
    "bound for a direction": Case(
        '"maximize"',
        '">= 0.9"',
        "objectives.accuracy",
        '">= 0.9" is not a direction',
        "and the bound under [constraints]",
    ),
    "one quantity twice": Case(
        'accuracy = "maximize"',
        'latency_us = "minimize"',
        "objectives.latency_ms",
        "is the same quantity as latency_us",
        "keep one of the two objectives",
    ),
    "size in milliseconds": Case(
        "size_mb =",
        "size_ms =",
        "constraints.size_ms",
        'size is not measured in "ms"',
        "the unit belongs to the metric's name: size_bytes, size_kb or size_mb",
    ),
    "latency in megabytes": Case(
        'latency_ms = "minimize"',
        'latency_mb = "minimize"',
        "objectives.latency_mb",
        'latency is not measured in "mb"',
        "latency_us, latency_ms or latency_s",
    ),
    "no unit": Case(
        "size_mb =", "size =", "constraints.size", '"size" names no unit', "size_bytes, size_kb or size_mb"
    ),
    "unit in the bound": Case(
        SIZE,
        'latency_ms = "<= 5 ms"',
        "constraints.latency_ms",
        '"<= 5 ms" holds a unit',
        'the unit belongs to the metric\'s name: write latency_ms = "<= 5"',
    ),
    "another unit in the bound": Case(
        SIZE,
        'size_mb = "<= 500KB"',
        "constraints.size_mb",
        '"<= 500KB" holds a unit',
        'the unit belongs to the metric\'s name: write size_kb = "<= 500"',
    ),
    "bound without operator": Case(
        SIZE, "size_mb = 0.5", "constraints.size_mb", "0.5 is not a bound", 'write size_mb = "<= 0.5"'
    ),
    "bound that is no bound": Case(
        SIZE,
        'size_mb = "small"',
        "constraints.size_mb",
        "'small' is not a bound",
        "write an operator (<=, <, >=, >)",
    ),
    "equality": Case(
        SIZE, 'size_mb = "== 0.5"', "constraints.size_mb", "'== 0.5' is not a bound", "write an operator"
    ),
    "bound of NaN": Case(
        SIZE, 'size_mb = "<= nan"', "constraints.size_mb", "'<= nan' is not a bound", "and a number"
    ),
    "bound that is true": Case(
        SIZE, "size_mb = true", "constraints.size_mb", "must be a bound, not true", 'write size_mb = "<= 0.5"'
    ),
    "no bound": Case(
        SIZE, "size_mb = []", "constraints.size_mb", "names no bound", 'write size_mb = "<= 0.5"'
    ),
    "accuracy above one": Case(
        SIZE,
        'accuracy = ">= 1.5"',
        "constraints.accuracy",
        "no model can meet >= 1.5",
        "accuracy is between 0 and 1; give a bound below or equal to 1",
    ),
    "accuracy strictly above one": Case(
        SIZE, 'accuracy = "> 1"', "constraints.accuracy", "no model can meet > 1", "give a bound below 1"
    ),
    "negative size": Case(
        SIZE,
        'size_mb = "<= -1"',
        "constraints.size_mb",
        "no model can meet <= -1",
        "size_mb is always above 0; give a bound above 0",
    ),
    "size of nothing": Case(
        SIZE, 'size_mb = "<= 0"', "constraints.size_mb", "no model can meet <= 0", "give a bound above 0"
    ),
    "r2 above one": Case(SIZE, 'r2 = ">= 2"', "constraints.r2", "no model can meet >= 2", "r2 is at most 1"),
    "bounds that exclude each other": Case(
        SIZE,
        'accuracy = [">= 0.9", "<= 0.5"]',
        "constraints.accuracy",
        "accuracy <= 0.5 and accuracy >= 0.9 exclude each other",
        "lower the one or raise the other",
    ),
    "bounds that exclude each other in two units": Case(
        SIZE,
        'size_mb = "<= 1"\nsize_kb = ">= 2000"',
        "constraints.size_kb",
        "size_mb <= 1 and size_kb >= 2000 exclude each other",
        "lower the one or raise the other",
    ),
    "two upper bounds": Case(
        SIZE,
        'size_mb = ["<= 1", "<= 2"]',
        "constraints.size_mb",
        "has two upper bounds",
        "keep the tighter one",
    ),
    # budget, search, measure, data
    "zero trials": Case(
        "trials = 60", "trials = 0", "budget.trials", "must be at least 1, not 0", "trials = 60"
    ),
    "negative epochs": Case(
        "epochs = 30", "epochs = -1", "budget.epochs", "must be at least 1, not -1", "epochs = 30"
    ),
    "fewer epochs in all than in one trial": Case(
        "epochs = 30",
        "epochs = 30\ntotal_epochs = 20",
        "budget.total_epochs",
        "20 is less than the 30 epochs of one trial",
        "raise total_epochs or lower epochs",
    ),
    "timeout that is no time": Case(
        "epochs = 30",
        'timeout = "soon"',
        "budget.timeout",
        '"soon" is not a time',
        'write "10m", "90s", "1h30m" or a number of seconds',
    ),
    "timeout of nothing": Case(
        "epochs = 30",
        'timeout = "0s"',
        "budget.timeout",
        "must be above 0 seconds, not 0",
        'write timeout = "10m"',
    ),
    "start with an unknown parameter": Case(
        "start = [{ learning_rate",
        "start = [{ learnig_rate",
        "search.start[0].learnig_rate",
        "is not a parameter of the space",
        "did you mean 'learning_rate'?",
    ),
    "start outside the range": Case(
        "start = [{ learning_rate = 1e-3",
        "start = [{ learning_rate = 1.0",
        "search.start[0].learning_rate",
        "1.0 is outside the parameter's range",
        "it takes numbers from 0.0001 to 0.1",
    ),
    "start with an inactive parameter": Case(
        'optimizer = "adam" }',
        'optimizer = "adam", momentum = 0.9 }',
        "search.start[0].momentum",
        'is not active when optimizer is "adam"',
        "leave it out here",
    ),
    "start that is no list": Case(
        'start = [{ learning_rate = 1e-3, optimizer = "adam" }]',
        "start = { learning_rate = 1e-3 }",
        "search.start",
        "must be a list of tables, not a table",
        "write start = [{ learning_rate = 1e-3 }]",
    ),
    "no thread": Case(
        "[search]",
        "[measure]\nthreads = 0\n[search]",
        "measure.threads",
        "must be at least 1, not 0",
        "threads = 1",
    ),
    "negative seed": Case("seed = 7", "seed = -7", "seed", "must be at least 0, not -7", "seed = 7"),
    "name with a slash": Case(
        '"digits-edge"',
        '"../edge study"',
        "name",
        '"../edge study" is not a study name',
        'for instance "edge-study"',
    ),
    "name that is too long": Case(
        '"digits-edge"', f'"{"a" * 201}"', "name", "is not a study name", "at most 200 letters"
    ),
    "empty name": Case('"digits-edge"', '""', "name", "must not be empty", 'write name = "digits-edge"'),
    "file without target": Case(
        '[data]\nname = "digits"', '[data]\nfile = "m.csv"', "data.target", "is missing", 'target = "label"'
    ),
    "data set and file": Case(
        '[data]\nname = "digits"',
        '[data]\nname = "digits"\nfile = "m.csv"',
        "data",
        "has both name and file",
        "remove one of them",
    ),
    "empty data table": Case(
        '[data]\nname = "digits"', "[data]", "data", "names no data", 'give one of name = "digits"'
    ),
    "target of a registered data set": Case(
        '[data]\nname = "digits"',
        '[data]\nname = "digits"\ntarget = "y"',
        "data.target",
        "goes with file, not with a registered data set",
        "remove target",
    ),
    "dropped target": Case(
        '[data]\nname = "digits"',
        '[data]\nfile = "m.csv"\ntarget = "y"\ndrop = ["y"]',
        "data.drop",
        'drops the target "y"',
        "remove it from the list",
    ),
    "nothing left to train on": Case(
        '[data]\nname = "digits"',
        '[data]\nname = "digits"\nvalid = 0.5\ntest = 0.5',
        "data",
        "valid 0.5 and test 0.5 leave no row to train on",
        "make their sum less than 1",
    ),
    "share above one": Case(
        '[data]\nname = "digits"',
        '[data]\nname = "digits"\nvalid = 20',
        "data.valid",
        "must be below 1, not 20",
        "write for instance valid = 0.2",
    ),
    "more trials than a database counts": Case(
        "trials = 60",
        "trials = 5_000_000_000",
        "budget.trials",
        "must be at most 2,147,483,647, not 5,000,000,000",
        "write for instance trials = 60",
    ),
    "threads of no machine": Case(
        "[budget]",
        "[measure]\nthreads = 100_000_000_000\n[budget]",
        "measure.threads",
        "must be at most 1,024, not 100,000,000,000",
        "write for instance threads = 1",
    ),
    "batch that no memory holds": Case(
        "[budget]",
        "[measure]\nbatch = 1_000_000_000_000\n[budget]",
        "measure.batch",
        "must be at most 1,000,000, not 1,000,000,000,000",
        "write for instance batch = 1",
    ),
    "level in per cent": Case(
        "[budget]",
        "[measure]\nprecision_level = 95\n[budget]",
        "measure.precision_level",
        "must be at most 1, not 95",
        "write for instance precision_level = 0.9",
    ),
    "level of nothing": Case(
        "[budget]",
        "[measure]\nrecall_level = 0\n[budget]",
        "measure.recall_level",
        "must be above 0, not 0",
        "write for instance recall_level = 0.9",
    ),
    "objective without its level": Case(
        'accuracy = "maximize"',
        'recall_at_precision = "maximize"',
        "measure.precision_level",
        "is missing, and objectives.recall_at_precision needs it",
        "write precision_level = 0.9 under [measure]",
    ),
    "constraint without its level": Case(
        SIZE,
        'precision_at_recall = ">= 0.5"\n[measure]\nprecision_level = 0.9',
        "measure.recall_level",
        "is missing, and constraints.precision_at_recall needs it",
        "write recall_level = 0.9 under [measure]",
    ),
    "bound beyond all numbers": Case(
        SIZE,
        'size_mb = "<= 1e400"',
        "constraints.size_mb",
        "1e400 is more than a number can be",
        "give a smaller bound",
    ),
    "bound that is taken for nothing": Case(
        SIZE,
        'size_mb = ">= 1e-400"',
        "constraints.size_mb",
        "1e-400 is not 0, which is the nearest number that can be kept",
        "give a bound of at most 15 digits",
    ),
    "bound between two floats": Case(
        SIZE,
        'n_parameters = "<= 9007199254740993"',
        "constraints.n_parameters",
        "9007199254740993 is not 9007199254740992",
        "give a bound of at most 15 digits",
    ),
    "one name in two spellings": Case(
        "hidden_layers = { low = 1, high = 4 }",
        '"\u00e9" = [1, 2]\n"e\u0301" = [1, 2]',
        "space.e\u0301",
        "is the name of another parameter, in other characters",
        "rename \u00e9",
    ),
    "unknown kind of target": Case(
        '[data]\nname = "digits"',
        '[data]\nname = "digits"\ntask = "regresion"',
        "data.task",
        '"regresion" is not allowed',
        "did you mean 'regression'?",
    ),
    "task beside data": Case(
        "[budget]",
        '[task]\nentry = "m:T"\n[budget]',
        "data",
        "does not go with [task]",
        "remove [data] or [task]",
    ),
    "entry that is no entry": Case(
        '[data]\nname = "digits"\n\n[model]\nfamily = "mlp"\nbatch_norm = true',
        '[task]\nentry = "own_task.py"',
        "task.entry",
        '"own_task.py" names no object of a module',
        'write "package.module:Name"',
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_refused_with_file_key_and_fix(case: Case, tmp_path: Path) -> None:
    assert case.old in GOOD
    path = tmp_path / "study.toml"
    path.write_text(GOOD.replace(case.old, case.new, 1))
    with pytest.raises(SpecError) as caught:
        parse_file(path)
    sentence = str(caught.value)
    assert caught.value.exit_code == 2
    assert caught.value.key == case.key
    assert sentence.startswith(f"{path}: {case.key}: " if case.key else f"{path}: ")
    assert case.problem in sentence
    assert sentence.endswith(")")
    assert case.fix in sentence[sentence.index(case.problem) + len(case.problem) :]
    assert "\n" not in sentence


def test_the_good_file_is_good(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(GOOD)
    assert parse_file(path).name == "digits-edge"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = 'a'\nname = 'b'\n", "is not valid TOML: Cannot overwrite a value (at line 2, column 11)"),
        ("name = a\n", "is not valid TOML: Invalid value (at line 1, column 8)"),
        (
            "[data\n",
            "is not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 6)",
        ),
        ("x = " + "[" * 5000, "is not valid TOML: nested too deeply"),
    ],
    ids=["key twice", "no quotes", "open bracket", "nested deeply"],
)
def test_invalid_toml_names_the_line(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        parse_file(path)
    assert str(caught.value).startswith(f"{path}: {problem}")


def test_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "digits_edge.toml").write_text(GOOD)
    with pytest.raises(SpecError) as caught:
        parse_file(tmp_path / "digit_edge.toml")
    assert (
        str(caught.value)
        == f"{tmp_path / 'digit_edge.toml'}: no such file (did you mean 'digits_edge.toml'?)"
    )


def test_a_link_that_leads_nowhere_is_not_its_own_neighbour(tmp_path: Path) -> None:
    (tmp_path / "link.toml").symlink_to("nowhere.toml")
    with pytest.raises(SpecError, match=r"no such file \(give the path of a study file\)"):
        parse_file(tmp_path / "link.toml")


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no such file \(give the path of a study file\)"):
        parse_file(tmp_path / "nowhere" / "study.toml")


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"is a folder \(give the path of a study file\)"):
        parse_file(tmp_path)
    (tmp_path / "digits.toml").write_text(GOOD)
    with pytest.raises(SpecError, match=r"is a folder \(name a study file in it: digits.toml\)"):
        parse_file(tmp_path)


def test_no_file_named() -> None:
    with pytest.raises(SpecError, match="no study file is named"):
        parse_file("")


def test_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(SpecError, match=r"is not UTF-8 text \(byte 8\) \(save it as UTF-8\)"):
        parse_file(path)


def test_dict_is_named_study() -> None:
    with pytest.raises(SpecError) as caught:
        parse_dict({"name": "x", "objectives": {"accuracy": "up"}}, has_task=True)
    assert str(caught.value).startswith("study: the table [space] is missing")


@pytest.mark.parametrize("content", [None, [], "name = 'x'", 7])
def test_content_that_is_no_dict(content: object) -> None:
    with pytest.raises(SpecError, match="must be a table, not"):
        parse_dict(content)  # type: ignore[arg-type]  # what a caller without types may pass


@pytest.mark.parametrize("choice", ["\ud800", "a\udc00b", "\ud83d\ude80"], ids=["alone", "inside", "a pair"])
def test_half_of_a_character_is_no_choice(choice: str) -> None:
    content = {
        "name": "x",
        "objectives": {"loss": "minimize"},
        "space": {"a": [choice, "b"]},
        "budget": {"trials": 1},
    }
    with pytest.raises(SpecError, match=r"space\.a: .* is not a value"):
        parse_dict(content, has_task=True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a\x85b", '"a\\u0085b"'),
        ("a\u2028b", '"a\\u2028b"'),
        ("a\x7f", '"a\\u007f"'),
        ("\U000e0001", '"\\udb40\\udc01"'),
        ("é\t", '"é\\t"'),
    ],
)
def test_what_cannot_be_printed_is_escaped(name: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_dict({"name": name})
    said = next(str(each) for each in caught.value.problems if "is not a study name" in str(each))
    assert f"name: {told} is not a study name" in said
    assert said.isprintable()
    assert len(said.splitlines()) == 1


def test_key_that_is_no_string() -> None:
    with pytest.raises(SpecError, match=r"study: 3 is not a key"):
        parse_dict({3: "x"})  # type: ignore[dict-item]  # what a caller without types may pass


@pytest.mark.parametrize("value", [None, {"low": None, "high": 1}, [[None], 1]])
def test_none_is_no_range(value: Any) -> None:
    content = {
        "name": "x",
        "objectives": {"loss": "minimize"},
        "space": {"a": value},
        "budget": {"trials": 1},
    }
    with pytest.raises(SpecError, match=r"space\.a"):
        parse_dict(content, has_task=True)


def test_none_is_no_choice_of_a_family() -> None:
    content = {
        "name": "x",
        "data": {"name": "digits"},
        "model": {"family": "mlp"},
        "objectives": {"accuracy": "maximize"},
        "space": {"width": [None, 8], "optimizer": [None, "adam"]},
        "budget": {"trials": 1, "epochs": 1},
    }
    with pytest.raises(SpecError, match=r"space\.width"):
        parse_dict(content, families=TRAINERS.get)


@pytest.mark.parametrize("table", ["data", "model", "task"])
def test_task_from_python_beside_a_table(table: str) -> None:
    content = {"name": "x", table: {"name": "y"}, "objectives": {}, "space": {}, "budget": {}}
    with pytest.raises(SpecError, match=f"{table}: does not go with a task that is passed from Python"):
        parse_dict(content, has_task=True)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["<= 1", ">= 1e400", "maximize", "sgd", 0, 1, -1, 1e308, 1e-320, 10**400, b"x"])
    | st.just(dt.date(2026, 1, 1)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["low", "high", "step", "log", "choices", "when", "x", "size_mb"]), inner
        )
    ),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """The good study with one value, at any depth, replaced by anything, and perhaps with one more key."""
    content: dict[str, Any] = copy.deepcopy(tomllib.loads(GOOD))
    place: Any = content
    while True:
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
            break
        place = place[key]
    if isinstance(place, dict) and draw(st.booleans()):
        key = draw(st.text(max_size=5))
    place[key] = draw(ANYTHING)
    return content


@settings(max_examples=400, deadline=None)
@given(content=damaged())
def test_whatever_stands_there_is_refused_in_one_sentence_or_taken(content: dict[str, Any]) -> None:
    refused: SpecError | None = None
    try:
        spec = parse_dict(content, file="study.toml")
    except SpecError as error:
        refused = error
    if refused is None:
        assert parse_dict(to_dict(spec)) == spec
    else:
        for problem in refused.problems:
            assert str(problem).startswith("study.toml: ")
            assert "\n" not in str(problem)
            assert problem.hint
        assert str(refused).splitlines() == [str(problem) for problem in refused.problems]
