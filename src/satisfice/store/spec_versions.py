"""A stored study gets another version of its spec: what was found is judged anew in the same transaction.

The verdict on a trial stays where it always was, in our slots and in Optuna's constraints, so that whoever
reads feasibility reads the new judgement. What held before is kept in `tables.spec_versions`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from satisfice.spec.constraint import Constraint, stored_violations, verdict, violated, violations
from satisfice.spec.metric import convert
from satisfice.spec.study import StudySpec
from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.ledger.phase import Phase
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.studies import budget_columns
from satisfice.store.tables import slots, spec_versions, studies, turned_away


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a study's spec was and is to be."""

    old: StudySpec
    new: StudySpec
    content: Mapping[str, Any]  # of the new spec, as it is stored
    sentences: Sequence[str]  # what differs
    file_budget: Mapping[str, Any] | None  # the file's own [budget], while options override it


@repeated
def apply(db: Database, row: Mapping[str, Any], change: Change) -> bool:
    """Store the change, with all verdicts by the new bounds, in one transaction.

    Args:
        db: The database.
        row: Our row of the study, as the change was made for it.
        change: What changes.

    Returns:
        Whether it was stored; False where somebody else changed the study meanwhile, and nothing was written.
    """
    uuid = row["uuid"]
    here = studies.c.uuid == uuid
    rows = OptunaRows(db.engine)
    with db.write() as connection:
        query = sa.select(studies, db.now().label("now")).where(here).with_for_update()
        study = connection.execute(query).mappings().first()
        if study is None or study["spec_version"] != row["spec_version"]:
            return False
        _keep_history(connection, study, change)
        values: dict[str, Any] = {
            "spec": json.dumps(change.content),
            "digest": change.new.digest(),
            "spec_version": study["spec_version"] + 1,
            "file_budget": None if change.file_budget is None else json.dumps(change.file_budget),
            **budget_columns(change.new),
        }
        names = [o.metric for o in change.old.objectives]
        if study["optuna_objectives"] is None and names != [o.metric for o in change.new.objectives]:
            values["optuna_objectives"] = json.dumps(names)  # Optuna's own order stays
        if study["total_epochs_budget"] is None and change.new.budget.total_epochs is not None:
            # The first budget of epochs: what was trained before counts too.
            trained = sa.func.coalesce(sa.func.sum(_epochs(change.old)), 0)
            before = sa.select(trained).where(slots.c.study_uuid == uuid)
            values["epochs_reserved"] = connection.execute(before).scalar_one()
        if change.old.constraints != change.new.constraints:
            values["chosen"] = _chosen(study["chosen"], change.new)
            _judge_anew(connection, rows, uuid, change)
        connection.execute(sa.update(studies).where(here).values(**values))
    return True


def _epochs(spec: StudySpec) -> sa.ColumnElement[int]:
    """Epochs of a slot's trial: its steps; with folds, trainings that count in full."""
    step = slots.c.last_step
    if spec.folds is None:
        return step
    return sa.case((step >= spec.folds, step + 1), else_=step) * (spec.budget.epochs or 1)


def _keep_history(connection: sa.Connection, study: sa.RowMapping, change: Change) -> None:
    version = int(study["spec_version"])
    known = (spec_versions.c.study_uuid == study["uuid"], spec_versions.c.version == version)
    added = [(version + 1, study["now"], json.dumps(change.content), change.sentences)]
    if connection.execute(sa.select(spec_versions.c.version).where(*known)).first() is None:
        added.insert(0, (version, study["created_at"], study["spec"], ()))
    connection.execute(
        sa.insert(spec_versions),
        [
            {
                "study_uuid": study["uuid"],
                "version": number,
                "since": since,
                "spec": spec,
                "changes": json.dumps(list(said)),
            }
            for number, since, spec, said in added
        ],
    )


def _chosen(stored: str | None, spec: StudySpec) -> str | None:
    """The winner with its test score, unless what was measured again misses a bound by now."""
    chosen = json.loads(stored) if stored else None
    if chosen is None or chosen["number"] is None:
        return None
    again = convert(chosen.get("measured_again", {}), spec.metric_names)
    if violated(violations(spec.constraints, again)):
        return None
    return json.dumps({**chosen, "dropped": []})


def _judge_anew(connection: sa.Connection, rows: OptunaRows, uuid: str, change: Change) -> None:
    told = slots.c.phase.in_((Phase.DONE.value, Phase.AWAITING_TIMING.value))
    query = sa.select(
        slots.c.slot, slots.c.phase, slots.c.optuna_trial_id, slots.c.metrics, slots.c.feasible
    ).where(slots.c.study_uuid == uuid, slots.c.number.is_not(None), told)
    feasible: list[dict[str, Any]] = []
    optunas: dict[int, Mapping[str, float]] = {}
    for row in connection.execute(query).all():
        metrics = json.loads(row.metrics or "{}")
        found, fits = judged_anew(change.old, change.new.constraints, metrics, row.feasible)
        if fits != row.feasible:
            feasible.append({"at_slot": row.slot, "fits": fits})
        if row.phase == Phase.DONE.value:  # of others Optuna has no verdict yet
            optunas[row.optuna_trial_id] = stored_violations(change.new.constraints, found)
    if feasible:
        update = sa.update(slots).where(slots.c.study_uuid == uuid, slots.c.slot == sa.bindparam("at_slot"))
        fits_now = sa.bindparam("fits", type_=sa.Boolean)
        connection.execute(update.values(feasible=fits_now), feasible)
    rows.replace_constraints(connection, optunas)


def judged_anew(
    old: StudySpec, constraints: Sequence[Constraint], metrics: Mapping[str, float], feasible: bool | None
) -> tuple[dict[str, float], bool | None]:
    """The verdict on a told trial by other constraints.

    Args:
        old: The spec that it was judged by.
        constraints: Those that hold now.
        metrics: As they are stored.
        feasible: The old verdict.
    """
    names = (*old.metric_names, *(c.metric for c in constraints))
    known = convert(metrics, names)
    if feasible is False and verdict(old.constraints, known)[1] is None:
        # What is violated is not stored: it was NaN.
        known |= {c.metric: math.nan for c in old.constraints if c.metric not in known}
    return verdict(constraints, known)


def lost_under(connection: sa.Connection, uuid: str, keys: Sequence[str]) -> dict[str, tuple[int, int]]:
    """By constraint key, how many proposals were turned away under it, and how many trials were stopped."""
    away = dict.fromkeys(keys, 0)
    query = sa.select(turned_away.c.by_constraint).where(turned_away.c.study_uuid == uuid)
    for counts in _loaded(connection.execute(query).scalars()):
        for key in keys:
            away[key] += counts.get(key, 0)
    stopped = {}
    for key in keys:
        s = slots.c
        here = (s.study_uuid == uuid, s.reason.startswith(f"cannot meet {key} at ", autoescape=True))
        stopped[key] = int(connection.execute(sa.select(sa.func.count()).where(*here)).scalar_one())
    return {key: (away[key], stopped[key]) for key in keys}


def _loaded(texts: Iterator[str]) -> Iterator[Mapping[str, int]]:
    return (json.loads(text) for text in texts)


@repeated
def history(db: Database, uuid: str) -> list[dict[str, Any]]:
    """Versions of the study's spec, oldest first: ``version``, ``since``, ``spec``, ``changes``."""
    v = spec_versions.c
    with db.read() as connection:
        query = sa.select(v.version, v.since, v.spec, v.changes).where(v.study_uuid == uuid)
        return [
            {**row, "spec": json.loads(row["spec"]), "changes": json.loads(row["changes"])}
            for row in connection.execute(query.order_by(v.version)).mappings()
        ]
