"""The statement that reads what changed in a study since a revision, in one go."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.tables import reports, slots, studies

# A row of the statement is one of these.
SLOT, PARAM, REPORTS, STUDY = range(4)
READ = (
    *("phase", "attempt", "seed", "last_step", "metrics", "feasible", "reason", "proposal"),
    *("replicate_of", "measured_on"),
)


def _columns(kind: int, *given: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
    """The columns of one part of the union, in one order; what a part does not have is empty."""
    by_name = {column.name: column for column in given}
    texts = {
        name: sa.literal("", sa.Text) for name in ("phase", "metrics", "proposal", "state", "name", "body")
    }
    empty: dict[str, sa.ColumnElement[Any]] = {
        **{name: sa.literal(0, sa.BigInteger) for name in ("revision", "number")},
        **{name: sa.literal(0, sa.BigInteger) for name in ("attempt", "seed", "last_step", "replicate_of")},
        **texts,
        **{name: sa.literal("", sa.Text) for name in ("reason", "measured_on")},
        "feasible": sa.literal(False, sa.Boolean),
        "value": sa.literal(0.0, sa.Double),
    }
    filled = [by_name.get(name, blank).label(name) for name, blank in empty.items()]
    return [sa.literal(kind, sa.Integer).label("kind"), *filled]


def changes_statement(rows: OptunaRows, study_uuid: str) -> sa.CompoundSelect[Any]:
    """Slots, parameters and reports of the revisions after ``since``, and the study's own revision.

    One statement sees one state of the database, on every back-end and without a transaction.
    """
    t, p, r = rows.trials.c, rows.params.c, reports.c
    since, until = sa.bindparam("since", type_=sa.BigInteger), sa.bindparam("until", type_=sa.BigInteger)
    changed = (
        slots.c.study_uuid == study_uuid,
        slots.c.revision > since,
        slots.c.revision <= until,
        slots.c.number.is_not(None),
    )
    by_slot = (slots.c.revision.label("revision"), slots.c.number.label("number"))
    on_slots = sa.select(*_columns(SLOT, *by_slot, *(slots.c[n].label(n) for n in READ), t.state))
    on_params = sa.select(*_columns(PARAM, *by_slot, p.name, p.value))
    on_reports = sa.select(*_columns(REPORTS, r.revision, r.number, r.body))
    on_study = sa.select(*_columns(STUDY, studies.c.revision, studies.c.spec_version.label("attempt")))
    return sa.union_all(
        on_slots.join_from(slots, rows.trials, t.trial_id == slots.c.optuna_trial_id).where(*changed),
        on_params.join_from(slots, rows.params, p.trial_id == slots.c.optuna_trial_id).where(*changed),
        on_reports.where(r.study_uuid == study_uuid, r.revision > since, r.revision <= until),
        on_study.where(studies.c.uuid == study_uuid),
    )
