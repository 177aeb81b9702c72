"""The tables of docs/trainers.md and docs/data.md, written from the program.

    python -m satisfice.train.document docs/trainers.md docs/data.md

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; all else on a page is left alone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from satisfice.data import DATASETS
from satisfice.train.catalog import TRAINERS
from satisfice.train.trainer import Trainer

_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def hyperparameter_table(trainer: Trainer) -> str:
    """Markdown: a row for each hyperparameter of a family."""
    rows = ["| hyperparameter | values | default | size, latency | what it is |", "|---|---|---|---|---|"]
    for name, h in trainer.hyperparameters.items():
        default = str(h.default).lower() if isinstance(h.default, bool) else f"{h.default}" or "none"
        decides = "yes" if h.architecture else ""
        values = f"{h.allowed}" if h.kind in ("categorical", "text") else f"{h.kind}, {h.allowed}"
        rows.append(f"| `{name}` | {values} | {default} | {decides} | {h.doc} |")
    return "\n".join(rows) + "\n"


def dataset_table() -> str:
    """Markdown: a row for each registered data set of our own."""
    rows = ["| name | task | what it holds | where it comes from |", "|---|---|---|---|"]
    for name in DATASETS.names():
        dataset = DATASETS.get(name)
        rows.append(f"| `{name}` | {dataset.task} ({dataset.kind}) | {dataset.doc} | {dataset.source} |")
    return "\n".join(rows) + "\n"


def refresh(page: str) -> str:
    """The page with every table as the program says it."""

    def table(match: re.Match[str]) -> str:
        name = match[2]
        content = dataset_table() if name == "datasets" else hyperparameter_table(TRAINERS.get(name))
        return match[1] + content + match[3]

    return _TABLE.sub(table, page)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = Path(argument)
        path.write_text(refresh(path.read_text(encoding="utf-8")), encoding="utf-8")
