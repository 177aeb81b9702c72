"""The grammar of a study file as tables: the parser, the JSON schema and the docs all read these.

Tables whose keys a person chooses (objectives, constraints, space) are not listed key by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a value may be; the text is how an error message says it."""

    TEXT = "a string"
    INTEGER = "an integer"
    NUMBER = "a number"
    FLAG = "true or false"
    TEXTS = "a list of strings"
    SCALAR = "a string, a number, true or false"
    DURATION = 'a time such as "10m", "1h30m" or a number of seconds'
    TABLES = "a list of tables"


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key of a study file."""

    kind: Kind
    doc: str
    example: str  # as written after "=", used in hints
    required: bool = False
    default: Any = None  # what leaving it out means; None: nothing
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None  # exclusive minimum
    below: float | None = None  # exclusive maximum
    choices: tuple[str, ...] = ()  # for strings


Keys = Mapping[str, Key]

LARGEST_INTEGER = 2**63 - 1  # of TOML and of every database
_LARGEST_COUNT = 2**31 - 1  # of a column of integers

TOP: Keys = {
    "name": Key(
        kind=Kind.TEXT,
        required=True,
        example='"digits-edge"',
        doc="Name of the study in its storage: letters, digits, '-', '_' and '.', at most 200.",
    ),
    "seed": Key(
        kind=Kind.INTEGER, default=0, minimum=0, example="7", doc="Everything random derives from it."
    ),
}

DATA: Keys = {
    "name": Key(
        kind=Kind.TEXT,
        example='"digits"',
        doc="A registered data set; or give `file` and `target`, or `folder`.",
    ),
    "file": Key(
        kind=Kind.TEXT,
        example='"mails.csv"',
        doc="CSV or Parquet file, relative to the study file; needs `target`.",
    ),
    "folder": Key(
        kind=Kind.TEXT,
        example='"photos"',
        doc="Folder that holds a folder of pictures for each class, relative to the study file.",
    ),
    "target": Key(kind=Kind.TEXT, example='"label"', doc="Column of `file` to predict."),
    "images": Key(
        kind=Kind.TEXT,
        example='"path"',
        doc="Column of `file` with paths of pictures, relative to the file; no other column is learnt from.",
    ),
    "skip_broken": Key(
        kind=Kind.FLAG,
        default=False,
        example="true",
        doc="Leave out, and count, pictures that cannot be read; else one such stops the study.",
    ),
    "size": Key(
        kind=Kind.INTEGER,
        minimum=4,
        maximum=1024,
        example="96",
        doc="Height and width in pixels as which pictures are kept; left out: the largest `image_size` of "
        "the study, else 64.",
    ),
    "drop": Key(kind=Kind.TEXTS, default=(), example='["id"]', doc="Columns that the model must not see."),
    "positive": Key(
        kind=Kind.SCALAR, example='"spam"', doc="Positive class of a binary target; left out: the rarer one."
    ),
    "task": Key(
        kind=Kind.TEXT,
        choices=("classification", "regression"),
        example='"classification"',
        doc="What kind of target it is; left out: inferred from the column.",
    ),
    "time": Key(
        kind=Kind.TEXT,
        example='"date"',
        doc="Column of `file` to split by: the latest rows are the test split.",
    ),
    "valid": Key(
        kind=Kind.NUMBER,
        default=0.2,
        above=0.0,
        below=1.0,
        example="0.2",
        doc="Share of the rows for validation.",
    ),
    "test": Key(
        kind=Kind.NUMBER,
        default=0.2,
        above=0.0,
        below=1.0,
        example="0.2",
        doc="Share of the rows kept for the one score of the chosen model.",
    ),
    "limit": Key(
        kind=Kind.INTEGER, minimum=1, example="5000", doc="Use only so many rows, drawn by the seed."
    ),
    "text": Key(
        kind=Kind.TEXTS,
        example='["subject", "body"]',
        doc="Columns read as text; left out: those whose values are long and nearly all different.",
    ),
    "near_duplicates": Key(
        kind=Kind.TEXT,
        choices=("warn", "group", "ignore"),
        example='"group"',
        doc="Rows that nearly repeat each other's texts: `group` keeps them in one split; left out: `warn`.",
    ),
    "folds": Key(
        kind=Kind.INTEGER,
        minimum=2,
        maximum=100,
        example="5",
        doc="Cross-validation: the rows outside the test split are divided into so many folds, each of which "
        "validates once. Goes instead of `valid`, and not with `time`.",
    ),
    "groups": Key(
        kind=Kind.TEXT,
        example='"patient"',
        doc="Column whose rows stay together: no value of it is in two splits or folds. The model does not "
        "see it.",
    ),
}

MODEL: Keys = {
    "family": Key(
        kind=Kind.TEXT,
        required=True,
        example='"mlp"',
        doc="A registered family of models. Every other key fixes one of its hyperparameters.",
    ),
}

TASK: Keys = {
    "entry": Key(
        kind=Kind.TEXT,
        required=True,
        example='"package.module:Name"',
        doc="Your own training code. Every other key is handed to the class as an argument.",
    ),
}

BUDGET: Keys = {
    "trials": Key(
        kind=Kind.INTEGER,
        required=True,
        minimum=1,
        maximum=_LARGEST_COUNT,
        example="60",
        doc="Trials whose training begins, exact over all workers. What is turned away does not count.",
    ),
    "epochs": Key(
        kind=Kind.INTEGER,
        minimum=1,
        maximum=_LARGEST_COUNT,
        example="30",
        doc="At most so many epochs for one trial.",
    ),
    "total_epochs": Key(
        kind=Kind.INTEGER,
        minimum=1,
        maximum=_LARGEST_COUNT,
        example="1200",
        doc="At most so many epochs over all trials.",
    ),
    "timeout": Key(
        kind=Kind.DURATION,
        example='"10m"',
        doc="Time in which anybody worked on the study; then no further trial begins.",
    ),
}

SEARCH: Keys = {
    "sampler": Key(
        kind=Kind.TEXT,
        default="auto",
        example='"auto"',
        doc="auto, tpe, nsga2, gp, qmc, random, or a registered name.",
    ),
    "pruner": Key(kind=Kind.TEXT, default="auto", example='"auto"', doc="auto, none, or a registered name."),
    "replicate": Key(
        kind=Kind.INTEGER,
        default=1,
        minimum=1,
        maximum=_LARGEST_COUNT,
        example="3",
        doc="Train each of the top candidates so many times in all, with other seeds, inside the budget.",
    ),
    "start": Key(
        kind=Kind.TABLES,
        default=(),
        example="[{ learning_rate = 1e-3 }]",
        doc="First trials: values of parameters; those left out come from the defaults.",
    ),
}

MEASURE: Keys = {
    "threads": Key(
        kind=Kind.INTEGER, default=1, minimum=1, maximum=1024, example="1", doc="CPU threads while measuring."
    ),
    "batch": Key(
        kind=Kind.INTEGER,
        default=1,
        minimum=1,
        maximum=1_000_000,
        example="1",
        doc="Items in one timed call.",
    ),
    "throughput_batch": Key(
        kind=Kind.INTEGER,
        default=64,
        minimum=1,
        maximum=1_000_000,
        example="64",
        doc="Items in one call when measuring throughput.",
    ),
    "on": Key(kind=Kind.TEXT, example='"edge-box"', doc="Only workers with this label measure."),
    "precision_level": Key(
        kind=Kind.NUMBER,
        above=0,
        maximum=1,
        example="0.9",
        doc="The least precision for `recall_at_precision`, which needs it.",
    ),
    "recall_level": Key(
        kind=Kind.NUMBER,
        above=0,
        maximum=1,
        example="0.9",
        doc="The least recall for `precision_at_recall`, which needs it.",
    ),
    "watts": Key(
        kind=Kind.NUMBER,
        default=10.0,
        above=0,
        maximum=100_000,
        example="5",
        doc="Power of one busy core, for `energy_mj` and `train_energy_wh` where no counter can be read: "
        "they are then processor time times this, and said to be estimated.",
    ),
    "runtime": Key(
        kind=Kind.TEXT,
        choices=("onnxruntime", "torch"),
        example='"onnxruntime"',
        doc="What predicts while measuring: ONNX Runtime, or the library that trained the model (`torch`); "
        "left out: ONNX Runtime where the format is `onnx`.",
    ),
}

SHIP: Keys = {
    "format": Key(
        kind=Kind.TEXT,
        choices=("onnx", "safetensors"),
        example='"onnx"',
        doc="The file that ships, whose size, latency and scores count; left out: `onnx` with [model].",
    ),
}

PROFILE: Keys = {
    "objective": Key(
        kind=Kind.TEXT,
        example='"f1"',
        doc="What is optimised: any recorded metric; `maximize` or `minimize` before it where that is not "
        "known. Left out, like `order` and `template`: the study's objectives.",
    ),
    "order": Key(
        kind=Kind.TEXTS,
        default=(),
        example='["f1 within 0.005", "size_mb"]',
        doc="Or criteria in order: each keeps the trials within its tolerance (or share, `1%`) of the best.",
    ),
    "template": Key(
        kind=Kind.TEXT,
        choices=("edge", "realtime", "batch"),
        example='"edge"',
        doc="Or a ready order: a little of the score for the smallest file (`edge`), the lowest latency "
        "(`realtime`) or the highest throughput (`batch`).",
    ),
}

# Keys of a profile's table that hold no plain value.
PROFILE_CONSTRAINTS_DOC = "Bounds beside [constraints], which always hold: metric = bound."

CHOOSE: Keys = {
    "rule": Key(
        kind=Kind.TEXT,
        choices=("value", "one-standard-error"),
        default="value",
        example='"one-standard-error"',
        doc="`value`: the best by its value. `one-standard-error`: the cheapest of those within one standard "
        "error of the best.",
    ),
}

RANGE: Keys = {
    "low": Key(
        kind=Kind.NUMBER,
        required=True,
        example="0.0",
        doc="Lower end, included. Both ends integers: an int parameter.",
    ),
    "high": Key(kind=Kind.NUMBER, required=True, example="0.5", doc="Upper end, included."),
    "step": Key(kind=Kind.NUMBER, above=0.0, example="2", doc="Distance between values, counted from `low`."),
    "log": Key(
        kind=Kind.FLAG,
        default=False,
        example="true",
        doc="Search in the logarithm; needs low > 0 and no step.",
    ),
}

# Keys of the parameter's table that hold no plain value.
CHOICES_DOC = "The values of a categorical parameter: strings, numbers, true or false."
WHEN_DOC = (
    'Active only if each named parameter has one of the listed values, for instance { optimizer = ["sgd"] }.'
)

DIRECTIONS = ("maximize", "minimize")

# Tables with fixed keys.
SECTIONS: Mapping[str, Keys] = {
    "data": DATA,
    "model": MODEL,
    "task": TASK,
    "budget": BUDGET,
    "search": SEARCH,
    "measure": MEASURE,
    "ship": SHIP,
    "choose": CHOOSE,
}

# What each table is for, in the order of a study file.
TABLE_DOCS: Mapping[str, str] = {
    "data": "Which data, and how it is split. Together with [model]; or give [task] instead of both.",
    "model": "Which family of models, and its fixed hyperparameters.",
    "task": "Your own training code, instead of [data] and [model].",
    "objectives": 'Metrics to optimise: metric = "maximize" or "minimize". The first is `best`\'s default.',
    "constraints": 'Metrics that must meet a bound: metric = "<= 0.5", or a list of two bounds.',
    "space": "What is searched: a range, a list of choices, or either with `when`.",
    "budget": "What the study may spend; may be changed later.",
    "search": "How to search.",
    "measure": "How to measure latency, memory and throughput; the levels of the metrics that have one.",
    "ship": "Which file ships.",
    "profiles": "Deployment profiles, [profiles.NAME]: further ways to choose; may be changed later.",
    "choose": "How the trial to ship is chosen; may be changed later.",
}

TRAINING_TABLES = ("data", "model", "task")
REQUIRED_TABLES = ("objectives", "space", "budget")
