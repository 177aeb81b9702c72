"""Words of other tools for tables, keys, hyperparameters, values and metrics, and ours for the same."""

from __future__ import annotations

from collections.abc import Mapping

from satisfice.spec.metric import METRICS

# Other words for tables, by lower-case name.
TABLES: Mapping[str, str] = {
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
KEYS: Mapping[str, tuple[str, str]] = {
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
        ("timeout_s", "timeout_seconds", "time_limit", "time_budget", "time_budget_s", "max_time"),
        ("budget", "timeout"),
    ),
    **dict.fromkeys(
        ("max_runtime", "timeout_minutes", "timeout_min", "timeout_hours", "timeout_h", "max_hours"),
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
OPTIONS: Mapping[str, str] = {
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

METRIC_KEYS = (
    "objective",
    "metric",
    "metrics",
    "scoring",
    "monitor",
    "score",
    "target_metric",
    "objective_metric",
)
DIRECTION_KEYS = ("direction", "directions", "mode", "goal")
FAMILY_KEYS = ("name", "type", "kind", "algorithm", "estimator", "class")  # in [model]

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
EPOCHS = ("epochs", "max_epochs", "n_epochs", "num_epochs", "nb_epoch", "max_iter", "training_epochs")
INVERSE = {"alpha": "C of scikit-learn is its inverse: alpha = 1 / (C * rows)"}

# Other words for values of hyperparameters and of [search], by lower case without "_" and "-".
VALUES: Mapping[str, str] = {
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

# Other words for metrics, by `plain_metric`.
METRIC_NAMES: Mapping[str, str] = {
    **{name: name for name in METRICS},
    **dict.fromkeys(
        ("acc", "accuracy_score", "categorical_accuracy", "top1", "error", "error_rate"), "accuracy"
    ),
    **dict.fromkeys(("balanced_accuracy_score", "balanced_acc", "bacc"), "balanced_accuracy"),
    **dict.fromkeys(("f1_score", "f1score", "f1_macro", "macro_f1", "f1_weighted", "f_score"), "f1"),
    **dict.fromkeys(("auc", "auroc", "roc_auc_score", "roc", "rocauc", "auc_roc"), "roc_auc"),
    **dict.fromkeys(
        ("average_precision_score", "ap", "pr_auc", "prauc", "auc_pr", "auprc", "aucpr"), "average_precision"
    ),
    **dict.fromkeys(("recall_at_fixed_precision", "recallatprecision"), "recall_at_precision"),
    **dict.fromkeys(("precision_at_fixed_recall", "precisionatrecall"), "precision_at_recall"),
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
