"""The model card: README.md of a shipped folder, in the form of Hugging Face's cards."""

from __future__ import annotations

import json

from satisfice.ship.folder.description import Description, ImageInput, InputColumn, Promise

_USE = """## Use

```sh
python predict.py rows.csv      # needs numpy and onnxruntime
satisfice verify .
satisfice serve .
```"""


def model_card(
    description: Description, *, data: str = "", found: str = "", warnings: tuple[str, ...] = ()
) -> str:
    """The card's text.

    Args:
        description: Of the model.
        data: What it was trained on, as a paragraph.
        found: How it was found: the search, its budget, its bounds.
        warnings: What whoever uses it must know first, such as a bound that it does not meet.
    """
    kind = {"classification": "tabular-classification", "regression": "tabular-regression"}[description.task]
    if isinstance(description.input, ImageInput):
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
        "## Promises\n\n" + _promises(description.promises),
        "## Limits\n\n" + _limits(description),
        "## How it was found\n\n" + (found or "By a search of satisfice."),
        _USE,
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
        return f"Images of {height} x {width} pixels with {channels} channels, {given.dtype}, channels first."
    rows = [f"| {_cell(c.name)} | {c.rule.kind} | {_cell(_seen(c))} |" for c in given]
    return "\n".join(["| column | kind | seen in training |", "|---|---|---|", *rows])


def _seen(column: InputColumn) -> str:
    if column.rule.kind == "category":
        shown = ", ".join(column.rule.values[:10])
        return f"{shown} and {len(column.rule.values) - 10} more" if len(column.rule.values) > 10 else shown
    return "" if column.low is None or column.high is None else f"{column.low:g} to {column.high:g}"


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


def _promises(promises: tuple[Promise, ...]) -> str:
    if not promises:
        return "None."
    rows = []
    for each in promises:
        span = "" if each.low is None or each.high is None else f" ({each.low:.4g} to {each.high:.4g})"
        how = " ".join(part for part in (each.runtime, each.version, each.precision) if part)
        rows.append(f"| {each.metric} | {each.bound or ''} | {each.value:.6g}{span} | {each.host} | {how} |")
    return "\n".join(["| metric | bound | measured | host | runtime |", "|---|---|---|---|---|", *rows])


def _limits(description: Description) -> str:
    first = "It was tested on data like its training data only; scores on other data are unknown."
    if description.columns:
        ranges = {c.name: [c.low, c.high] for c in description.columns if c.low is not None}
        told = f" Numbers outside these ranges were never seen: `{json.dumps(ranges, ensure_ascii=False)}`."
        return first + (told if ranges else "")
    return first
