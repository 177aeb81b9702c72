"""The model card: README.md of a shipped folder, in the form of Hugging Face's cards."""

from __future__ import annotations

from datetime import UTC, datetime

from satisfice.ship.folder.description import (
    CROSS_VALIDATION,
    VALIDATION,
    Description,
    ImageInput,
    InputColumn,
)

_CHOSEN_BY = {VALIDATION: "Of the validation rows", CROSS_VALIDATION: "Means of the cross-validation"}
_USE = """## Use

```sh
python predict.py {items}
satisfice verify .
satisfice serve .
```"""


def model_card(
    description: Description,
    *,
    data: str = "",
    found: str = "",
    goes_by: str = "",
    warnings: tuple[str, ...] = (),
) -> str:
    """The card's text.

    Args:
        description: Of the model.
        data: What it was trained on, as a paragraph.
        found: How it was found: the search, its budget, its bounds.
        goes_by: Which columns it goes by; empty where that is not known.
        warnings: What whoever uses it must know first, such as a bound that it does not meet.
    """
    kind = {"classification": "tabular-classification", "regression": "tabular-regression"}[description.task]
    items = "rows.csv  # needs numpy and onnxruntime"
    if isinstance(description.input, ImageInput):
        of_pictures = description.input.kept is not None
        items = (
            "photo.png  # needs numpy, onnxruntime and pillow"
            if of_pictures
            else items.replace("rows.csv", "images.npy")
        )
        kind = "image-classification" if description.task == "classification" else "image-feature-extraction"
    parts = [
        f"---\nlibrary_name: onnx\npipeline_tag: {kind}\nlicense: other\ntags: [satisfice]\n---",
        f"# {description.name}",
        *(f"> **Warning:** {warning}" for warning in warnings),
        f"Trial {description.trial} of the study `{description.study}`, as one ONNX file.",
        _answers(description),
        "## Data\n\n" + (data or "Not described."),
        "## Input\n\n" + _inputs(description),
        "## Metrics\n\n" + _scores(description),
        *(["## What it goes by\n\n" + goes_by] if goes_by else []),
        "## Promises\n\n" + _promises(description),
        "## Limits\n\n" + _limits(description),
        "## How it was found\n\n" + (found or "By a search of satisfice."),
        _USE.format(items=items),
        "## Licence\n\nNot stated: whoever publishes this model chooses one.",
    ]
    return "\n\n".join(parts) + "\n"


def _answers(description: Description) -> str:
    if description.task == "regression":
        return f"It predicts the number `{description.target}`."
    labels = ", ".join(f"`{label}`" for label in description.classes[:20])
    cut = (
        ""
        if description.threshold is None
        else (f" It answers `{description.classes[1]}` from a probability of {description.threshold:g}.")
    )
    return f"It predicts `{description.target}`, one of {len(description.classes)} classes: {labels}.{cut}"


def _inputs(description: Description) -> str:
    given = description.input
    if isinstance(given, ImageInput):
        channels, height, width = given.shape
        layers = "1 channel" if channels == 1 else f"{channels} channels"
        any_size = "" if given.kept is None else " `predict.py` brings pictures of any size to it."
        return f"Images of {height} x {width} pixels with {layers}, {given.dtype}, channels first.{any_size}"
    rows = [f"| {_cell(c.name)} | {c.rule.kind} | {_cell(_seen(c))} |" for c in given]
    return "\n".join(["| column | kind | seen in training |", "|---|---|---|", *rows])


def _seen(column: InputColumn) -> str:
    if column.rule.kind == "category":
        shown = ", ".join(column.rule.values[:10])
        return f"{shown} and {len(column.rule.values) - 10} more" if len(column.rule.values) > 10 else shown
    if column.low is None or column.high is None:
        return ""
    if column.rule.kind == "moment":
        first, last = (datetime.fromtimestamp(s, tz=UTC).date() for s in (column.low, column.high))
        return f"{first} to {last}"
    return f"{column.low:g} to {column.high:g}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _scores(description: Description) -> str:
    rows = []
    for score in description.scores:
        for name, value in score.metrics.items():
            ends = score.intervals.get(name)
            span = f"{ends[0]:.4g} to {ends[1]:.4g}" if ends else ""
            rows.append(f"| {score.split} ({score.rows} rows) | {name} | {value:.4g} | {span} |")
    if not rows:
        return "No scores were recorded."
    return "\n".join(["| split | metric | value | 95% interval |", "|---|---|---|---|", *rows])


def _promises(description: Description) -> str:
    if not description.promises:
        return "None."
    rows = []
    for each in description.promises:
        span = "" if each.low is None or each.high is None else f" ({each.low:.4g} to {each.high:.4g})"
        precision = "" if each.precision == "none" else each.precision
        how = " ".join(part for part in (each.runtime, each.version, precision) if part)
        name = f"{each.metric} (estimated)" if each.estimated else each.metric
        rows.append(f"| {name} | {each.bound or ''} | {each.value:.6g}{span} | {each.host} | {how} |")
    table = "\n".join(["| metric | bound | measured | host | runtime |", "|---|---|---|---|---|", *rows])
    scores = [score for score in description.scores if score.split in _CHOSEN_BY]
    chosen_by = {name: score.split for score in scores for name in score.metrics}
    scored = [each.metric for each in description.promises if each.metric in chosen_by]
    told = ""
    if scored:
        by = _CHOSEN_BY[chosen_by[scored[0]]]
        told = f"\n\n{by}, by which it was chosen: {', '.join(scored)}."
    return table + told


def _limits(description: Description) -> str:
    first = "It was tested on data like its training data only; scores on other data are unknown."
    if description.columns:
        ranged = any(c.low is not None for c in description.columns)
        told = " Numbers and dates outside the ranges above were never seen; it answers them all the same."
        return first + (told if ranged else "")
    return first
