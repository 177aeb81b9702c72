"""What users of scikit-learn, Keras, PyTorch and Optuna write, and what a study file says instead.

Nothing here is accepted: each entry becomes the advice of an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from satisfice.registry import nearest
from satisfice.spec.grammar import DIRECTIONS, SECTIONS, TABLE_DOCS, TOP
from satisfice.spec.metric import METRICS
from satisfice.spec.toml import assignment


class Advice(NamedTuple):
    """What to write instead of a key that is refused."""

    text: str
    meant: str = ""  # the key or table of the same place that it was meant for


# Other words for tables, by lower-case name.
_TABLES: Mapping[str, str] = {
    **dict.fromkeys(
        ("parameters", "params", "hyperparameters", "hyper_parameters", "hparams", "param_grid", "grid"),
        "space",
    ),
    **dict.fromkeys(("search_space", "param_space", "param_distributions", "parameter_space"), "space"),
    **dict.fromkeys(("objective", "metrics", "metric", "goals", "targets"), "objectives"),
    **dict.fromkeys(("constraint", "limits", "bounds", "requirements"), "constraints"),
    **dict.fromkeys(("dataset", "datasets"), "data"),
    **dict.fromkeys(("network", "estimator", "classifier", "regressor"), "model"),
    **dict.fromkeys(("sampling", "optimization", "optimisation", "tuner", "tuning"), "search"),
    **dict.fromkeys(("resources", "stopping"), "budget"),
    **dict.fromkeys(("measurement", "measurements", "latency"), "measure"),
}

# Other words for keys: the table they belong in ("" is the top of the file), and their name there.
_KEYS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "n_trials",
            "max_trials",
            "num_trials",
            "n_iter",
            "n_calls",
            "num_samples",
            "max_evals",
            "iterations",
        ),
        ("budget", "trials"),
    ),
    **dict.fromkeys(("max_epochs", "n_epochs", "num_epochs", "nb_epoch", "nb_epochs"), ("budget", "epochs")),
    **dict.fromkeys(
        (
            "timeout_s",
            "timeout_seconds",
            "time_limit",
            "time_budget",
            "time_budget_s",
            "max_time",
            "max_runtime",
        )
        + ("timeout_minutes", "timeout_min", "timeout_hours", "timeout_h", "time_limit_minutes", "max_hours"),
        ("budget", "timeout"),
    ),
    **dict.fromkeys(("random_state", "random_seed", "rng_seed"), ("", "seed")),
    **dict.fromkeys(("study_name", "study", "title", "experiment"), ("", "name")),
    **dict.fromkeys(("algorithm", "algo", "strategy", "search_algorithm"), ("search", "sampler")),
    **dict.fromkeys(("scheduler", "early_stopping", "stopper"), ("search", "pruner")),
    **dict.fromkeys(("enqueue", "initial_params", "points_to_evaluate", "x0"), ("search", "start")),
    **dict.fromkeys(("path", "csv", "filename", "filepath", "data_file", "train_file"), ("data", "file")),
    **dict.fromkeys(("label", "label_column", "target_column", "y", "class_column"), ("data", "target")),
    **dict.fromkeys(("test_size", "test_split", "test_fraction"), ("data", "test")),
    **dict.fromkeys(
        ("validation_split", "val_split", "val_size", "valid_size", "validation_size", "validation_fraction"),
        ("data", "valid"),
    ),
    **dict.fromkeys(("drop_columns", "exclude", "ignore", "ignore_columns"), ("data", "drop")),
    **dict.fromkeys(("pos_label", "positive_class"), ("data", "positive")),
    **dict.fromkeys(("model_type", "model_name", "architecture"), ("model", "family")),
    **dict.fromkeys(("num_threads", "n_threads"), ("measure", "threads")),
}

# What the command line says, not the file.
_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(
        ("n_jobs", "workers", "n_workers", "num_workers"), "give it on the command line: --workers N"
    ),
    **dict.fromkeys(("storage", "storage_url", "database"), "give it on the command line: --storage URL"),
    **dict.fromkeys(("load_if_exists", "resume"), "leave it out: a stored study goes on where it stopped"),
    **dict.fromkeys(("device", "gpu", "cuda"), "leave it out, and set SATISFICE_DEVICE"),
    **dict.fromkeys(
        ("n_startup_trials", "multivariate", "n_ei_candidates", "constant_liar", "population_size"),
        "leave it out: a sampler is chosen by its name alone",
    ),
    **dict.fromkeys(
        ("n_warmup_steps", "reduction_factor", "min_resource", "max_resource", "grace_period"),
        "leave it out: a pruner is chosen by its name alone",
    ),
    **dict.fromkeys(("verbose", "show_progress_bar"), "leave it out: progress is shown on a terminal"),
}

_METRIC_KEYS = (
    "objective",
    "metric",
    "metrics",
    "scoring",
    "monitor",
    "score",
    "target_metric",
    "objective_metric",
)
_DIRECTION_KEYS = ("direction", "directions", "mode", "goal")
_FAMILY_KEYS = ("name", "type", "kind", "algorithm", "estimator", "class")  # in [model]

# Other words for hyperparameters: the first that the family has is meant.
HYPERPARAMETERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("lr", "eta", "learning_rate_init", "alpha_lr", "step_size", "base_lr"), ("learning_rate",)
    ),
    **dict.fromkeys(
        ("n_estimators", "num_trees", "n_trees", "num_boost_round", "iterations", "num_iterations"),
        ("trees", "rounds"),
    ),
    **dict.fromkeys(("max_iter", "n_iter"), ("max_iter", "rounds")),
    **dict.fromkeys(("batch", "bs", "minibatch_size", "mini_batch_size"), ("batch_size",)),
    **dict.fromkeys(
        (
            "units",
            "n_units",
            "num_units",
            "hidden_size",
            "hidden_dim",
            "hidden_units",
            "neurons",
            "n_neurons",
        ),
        ("width",),
    ),
    **dict.fromkeys(
        (
            "n_layers",
            "num_layers",
            "layers",
            "depth",
            "n_hidden_layers",
            "num_hidden_layers",
            "hidden_layer_sizes",
        ),
        ("hidden_layers", "blocks", "max_depth"),
    ),
    **dict.fromkeys(("filters", "n_filters", "num_filters", "out_channels"), ("channels",)),
    **dict.fromkeys(("weight_decay", "reg_lambda", "lambda_l2", "l2_regularization", "wd"), ("l2", "alpha")),
    **dict.fromkeys(("reg_alpha", "lambda_l1", "l1_regularization"), ("l1",)),
    **dict.fromkeys(("dropout_rate", "drop_rate", "p_dropout", "dropout_p"), ("dropout",)),
    **dict.fromkeys(("num_leaves", "max_leaf_nodes", "n_leaves"), ("max_leaves",)),
    **dict.fromkeys(("min_child_samples", "min_data_in_leaf", "min_child_weight"), ("min_samples_leaf",)),
    **dict.fromkeys(("colsample_bytree", "feature_fraction", "colsample"), ("max_features",)),
    **dict.fromkeys(("early_stopping_rounds", "n_iter_no_change", "early_stopping"), ("patience",)),
    **dict.fromkeys(("lr_schedule", "lr_scheduler", "scheduler"), ("schedule",)),
    **dict.fromkeys(("solver", "optim", "opt"), ("optimizer",)),
    **dict.fromkeys(("batchnorm", "use_batch_norm", "batch_normalization"), ("batch_norm",)),
    **dict.fromkeys(("lambda", "regularization", "reg", "penalty_strength"), ("alpha", "l2")),
    **dict.fromkeys(("warmup", "warmup_steps"), ("warmup_epochs",)),
}
_EPOCHS = ("epochs", "max_epochs", "n_epochs", "num_epochs", "nb_epoch", "max_iter", "training_epochs")
_INVERSE = {"alpha": "C of scikit-learn is its inverse: alpha = 1 / (C * rows)"}

# Other words for values of hyperparameters and of [search], by lower case without "_" and "-".
_VALUES: Mapping[str, str] = {
    "swish": "silu",
    "leakyrelu": "leaky_relu",
    "elasticnet": "elastic_net",
    "cosineannealinglr": "cosine",
    "cosineannealing": "cosine",
    "steplr": "step",
    "exponentiallr": "exponential",
    "nsgaii": "nsga2",
    "bayesian": "gp",
    "bayes": "gp",
    "bayesianoptimization": "gp",
    "gaussianprocess": "gp",
    "grid": "qmc",
    "sobol": "qmc",
    "median": "auto",
    "hyperband": "auto",
    "asha": "auto",
    "successivehalving": "auto",
    "percentile": "auto",
    "nop": "none",
}


def _line(home: str, here: str, name: str, value: Any) -> str:
    """Advice to write a key in its table."""
    line = assignment(name, value) or name
    if home == here:
        return f"write {line}"
    return f"write {line} {f'under [{home}]' if home else 'at the top of the file, above every [table]'}"


def key_advice(path: str, key: str, value: Any, content: Mapping[str, Any]) -> Advice | None:
    """What to write instead of a key that its table does not have; None where no habit explains it.

    Args:
        path: The table, "" for the whole file.
        key: As it is written.
        value: What stands there.
        content: The table.
    """
    homes = [name for name, keys in SECTIONS.items() if key in keys and name != path]
    named = [f"[{name}]" for name in homes] + (["the top of the file"] if key in TOP and path else [])
    word = key.lower().replace("-", "_")
    if not path and isinstance(value, Mapping) and word in _TABLES:
        near = nearest(key, list(TABLE_DOCS))
        said = (
            f"did you mean '{near}'?" if near == _TABLES[word] else f"the table is called [{_TABLES[word]}]"
        )
        return Advice(said, _TABLES[word])
    if path in ("", "search", "budget") and word in (*_METRIC_KEYS, *_DIRECTION_KEYS):
        return Advice(objective_advice(content), "" if path else "objectives")
    if path == "model" and word in _FAMILY_KEYS:
        return Advice(_line("model", path, "family", value), "family")
    if named:
        where = homes[0] if homes else ""
        line = assignment(key, value)
        text = f"it belongs in {' or '.join(named)}" + (", above every [table]" if not homes else "")
        return Advice(f"{text}: write {line} there" if line else text, where if not path else "")
    if word in _KEYS:
        home, name = _KEYS[word]
        if (
            name == "timeout"
            and word.endswith(("minutes", "hours", "min", "h"))
            and isinstance(value, int | float)
        ):
            value = f"{value:g}{'h' if word.endswith(('hours', 'h')) else 'm'}"
        return Advice(_line(home, path, name, _value(word, value)), name if home == path else home)
    if word in _OPTIONS:
        return Advice(_OPTIONS[word])
    ours = HYPERPARAMETERS.get(word, (word,))[0]
    if not path and (word in HYPERPARAMETERS or any(word in names for names in HYPERPARAMETERS.values())):
        home = "space" if isinstance(value, Mapping | list) else "model"
        return Advice(f"{_line(home, path, ours, value)}, where hyperparameters belong")
    if path and key in TABLE_DOCS:
        return Advice(f"[{key}] is a table of its own: write [{key}], not [{path}.{key}]")
    return None


def _value(word: str, value: Any) -> Any:
    """A value as our key takes it."""
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return (
        known_value(value) if isinstance(value, str) and word in ("algorithm", "algo", "strategy") else value
    )


def objective_advice(content: Mapping[str, Any], *more: str) -> str:
    """The lines of [objectives] that ``objective = "accuracy"``, ``directions = [...]`` and the like mean.

    Args:
        content: Keys and values.
        more: Further keys whose value may be the metric.
    """
    lower = {str(key).lower(): value for key, value in content.items()}
    found = next((lower[key] for key in (*_METRIC_KEYS, *more) if lower.get(key)), None)
    ways = next((lower[key] for key in _DIRECTION_KEYS if lower.get(key)), None)
    names = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    lines = []
    for i, name in enumerate(name for name in names if isinstance(name, str)):
        way = ways[i] if isinstance(ways, list) and i < len(ways) else ways
        lines.append(objective_line(name, way))
    if not lines:
        return 'write each metric with its direction under [objectives], for instance accuracy = "maximize"'
    return f"write {' and '.join(lines)} under [objectives]"


def objective_line(name: str, way: Any = None) -> str:
    """``accuracy = "maximize"``, by the names that others use."""
    ours = METRIC_NAMES.get(plain_metric(name), name)
    known = METRICS.get(ours)
    near = str(way).lower()[:3] if isinstance(way, str) else ""
    direction = f"{near}imize" if f"{near}imize" in DIRECTIONS else known.direction if known else "maximize"
    return assignment(ours, direction)


def table_advice(name: str, value: Any) -> str:
    """What to write instead of a value where a table of the top belongs."""
    if name == "objectives" and isinstance(value, str | list) and value:
        items = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in items):
            return (
                f"write [objectives] on a line of its own, and below {', '.join(map(objective_line, items))}"
            )
        rows = [objective_advice(item, "name") for item in items if isinstance(item, Mapping)]
        if rows:
            return " and ".join(dict.fromkeys(rows))
    simple = {"data": "name", "model": "family", "task": "entry", "budget": "trials"}
    if name in simple and isinstance(value, str | int) and not isinstance(value, bool):
        file = name == "data" and str(value).lower().endswith((".csv", ".parquet"))
        line = assignment("file" if file else simple[name], value)
        return f"write [{name}] on a line of its own, and below {line}"
    return f"write [{name}] on a line of its own and its keys below"


def home_of(name: str, value: Any) -> str:
    """Advice for a key of the top or of [budget] that stands among parameters or metrics; else empty."""
    word = name.lower()
    for home, keys in (("", TOP), ("budget", SECTIONS["budget"])):
        if word in keys and word != "name":
            return _line(home, "?", word, value)
    if word in _KEYS and _KEYS[word][0] in ("", "budget") and _KEYS[word][1] != "name":
        return _line(*(_KEYS[word][0], "?", _KEYS[word][1]), value)
    return ""


def hyperparameter_advice(name: str, value: Any, known: Collection[str], table: str) -> str:
    """What to write instead of a hyperparameter that the family does not have; else empty.

    Args:
        name: As it is written.
        value: What stands there, as the study file would say it; None where that is not known.
        known: The family's hyperparameters.
        table: "model" or "space".
    """
    word = name.lower().replace("-", "_")
    if word in _EPOCHS and not (word in HYPERPARAMETERS and set(HYPERPARAMETERS[word]) & set(known)):
        count = (
            value if isinstance(value, int) else value.get("high", 30) if isinstance(value, Mapping) else 30
        )
        return f"epochs are the budget of a trial: {_line('budget', table, 'epochs', count)}"
    if name == "C":
        ours = next((n for n in ("alpha", "l2") if n in known), None)
        return f"write {ours} instead; {_INVERSE.get(ours, 'C is its inverse')}" if ours is not None else ""
    ours = next((n for n in HYPERPARAMETERS.get(word, ()) if n in known), None)
    if ours is not None:
        return f"write {assignment(ours, value) or ours}"
    if table == "model" and word in _FAMILY_KEYS:
        return "leave it out: family names the model"
    if word in HYPERPARAMETERS:
        return f"leave it out, for nothing here is like it; known: {', '.join(sorted(known))}"
    return home_of(name, value) or _OPTIONS.get(word, "")


def time_line(name: str, value: str) -> str:
    """``timeout = "10m"`` for a time in other words, such as "10 minutes", "0:10:00" or "600"; else empty."""
    clock = re.fullmatch(r"\s*(\d+):(\d{1,2})(?::(\d{1,2}))?\s*", value)
    if clock is not None and clock[3] is not None:
        parts = zip(clock.groups(), "hms", strict=True)
        return assignment(name, "".join(f"{int(n)}{unit}" for n, unit in parts if int(n)))
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
        number = float(value)
        return assignment(name, int(number) if number.is_integer() else number)
    words = re.findall(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", value)
    if not words or re.sub(r"(\d+(?:\.\d+)?)\s*[A-Za-z]+|and|,|\s", "", value):
        return ""
    units = [(n, unit[0].lower()) for n, unit in words]
    if [unit for _, unit in units] != [unit for unit in "dhms" if unit in {u for _, u in units}]:
        return ""
    return assignment(name, "".join(f"{n}{unit}" for n, unit in units))


def known_value(value: str) -> str:
    """A value as satisfice spells it: ``"ReLU"`` gives "relu", ``"TPESampler"`` gives "tpe"."""
    word = value.lower().removesuffix("sampler").removesuffix("pruner").removesuffix("optimizer")
    return _VALUES.get(word.replace("_", "").replace("-", ""), word)


def plain_metric(name: str) -> str:
    """A metric's name without what says on which rows: ``val_Accuracy`` gives "accuracy"."""
    word = name.lower().replace("-", "_").replace(" ", "_")
    for prefix in ("val_", "valid_", "validation_", "test_", "eval_", "cv_", "neg_", "mean_test_"):
        word = word.removeprefix(prefix)
    return word


# Other words for metrics, by `plain_metric`.
METRIC_NAMES: Mapping[str, str] = {
    **{name: name for name in METRICS},
    **dict.fromkeys(
        ("acc", "accuracy_score", "categorical_accuracy", "top1", "error", "error_rate"), "accuracy"
    ),
    **dict.fromkeys(("balanced_accuracy_score", "balanced_acc", "bacc"), "balanced_accuracy"),
    **dict.fromkeys(("f1_score", "f1score", "f1_macro", "macro_f1", "f1_weighted", "f_score"), "f1"),
    **dict.fromkeys(("auc", "auroc", "roc_auc_score", "roc", "rocauc", "auc_roc"), "roc_auc"),
    **dict.fromkeys(("precision_score", "ppv"), "precision"),
    **dict.fromkeys(("recall_score", "sensitivity", "tpr", "hit_rate"), "recall"),
    **dict.fromkeys(("tnr", "selectivity"), "specificity"),
    **dict.fromkeys(("loss", "logloss", "cross_entropy", "crossentropy", "nll", "bce"), "log_loss"),
    **dict.fromkeys(("mse", "mean_squared_error", "squared_error", "l2_loss"), "rmse"),
    **dict.fromkeys(("root_mean_squared_error", "rms"), "rmse"),
    **dict.fromkeys(("mean_absolute_error", "absolute_error", "l1_loss"), "mae"),
    **dict.fromkeys(("r2_score", "r_squared", "rsquared", "r^2", "explained_variance"), "r2"),
    **dict.fromkeys(
        (
            "params",
            "parameters",
            "n_params",
            "num_params",
            "num_parameters",
            "param_count",
            "parameter_count",
        ),
        "n_parameters",
    ),
    **dict.fromkeys(("flop", "macs", "gflops", "mflops", "operations"), "flops"),
    **dict.fromkeys(("fps", "qps", "items_per_second", "samples_per_second"), "throughput"),
    **dict.fromkeys(("train_time", "training_time", "training_seconds", "fit_time"), "train_seconds"),
    **dict.fromkeys(("gap", "overfit", "generalisation_gap"), "generalization_gap"),
}
