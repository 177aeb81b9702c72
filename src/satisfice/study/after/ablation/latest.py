"""The latest ablation of a stored study, read from the study that holds its trainings."""

from __future__ import annotations

from dataclasses import replace

from satisfice.errors import SatisficeError
from satisfice.results.importance import Ablation
from satisfice.store import studies
from satisfice.store.reader import Reader
from satisfice.study.after.ablation.plan import plan
from satisfice.study.after.ablation.run import ReadyAblation, ablation_name, table_of
from satisfice.study.opening import Opened, find, opened_from
from satisfice.study.stored import spec_of


def latest_ablation(opened: Opened) -> Ablation | None:
    """What the latest ablation found; None: there is none, or the study's code or data are not here.

    Args:
        opened: The study that was taken apart.
    """
    start = ablation_name(opened.spec.name, 0)[:-1]
    names = [n for n in studies.names(opened.db) if n.startswith(start) and n[len(start) :].isdigit()]
    rows = sorted((find(opened.db, name) for name in names), key=lambda row: float(row["created_at"]))
    if not rows:
        return None
    child = opened_from(opened.db, rows[-1], spec_of(rows[-1]), lambda: opened.task, None)
    trial = int(child.spec.name[len(start) :])
    record = Reader(opened.db, opened.rows, opened.row["uuid"], opened.spec).record(trial)
    if record is None:
        return None
    try:
        made = plan(opened.spec, opened.task, record, towards=True)
    except SatisficeError:
        return None
    reader = Reader(child.db, child.rows, child.row["uuid"], child.spec)
    seeds = sum(dict(row["params"]) == dict(made.winner.params) for row in reader.queue())
    ready = ReadyAblation(opened=child, plan=made, parent=opened.spec, trial=trial, seeds=seeds)
    found = table_of(ready, reader.records())
    # Changes of the default configuration are trained only with `--towards`.
    return replace(found, table=[row for row in found.table if row.kind != "with" or row.trainings])
