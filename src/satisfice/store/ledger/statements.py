"""The statements that every trial needs, built once: building one takes longer than running it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from satisfice.store.ledger.phase import Phase
from satisfice.store.tables import attempts, reports, slots, studies

ACTIVE_GAP_S = 120.0  # a longer silence of all workers does not count as wall time of the study

COUNTERS = tuple(
    studies.c[name]
    for name in (
        *("slots", "epochs_reserved", "elapsed_s", "revision", "queued", "turned_away"),
        *("trials_budget", "epochs_per_trial", "total_epochs_budget", "timeout_s", "spec_version"),
    )
)
_REPORT_COLUMNS = ["study_uuid", "number", "revision", "body"]


class Statements:
    """Of one study on one kind of database.

    What varies is bound by name; the columns to set are named when an update is executed.

    Attributes:
        held: Updates the slot ``at_slot`` where the token is still ``at_token``.
        beginning: The same, where no trial was begun in it.
        add_reports: Inserts ``new_body`` of trial ``of_number`` as ``new_revision`` under the same condition.
        end_attempt: Updates ``at_attempt`` of ``of_number`` unless it has ended.
        claimable: Selects the slot to be claimed at ``now_s``, if any.
    """

    def __init__(self, study_uuid: str, *, skip_silence: bool, returns: bool) -> None:
        self._uuid = study_uuid
        self._here = studies.c.uuid == study_uuid
        self._skip_silence, self._returns = skip_silence, returns
        self._advancing: dict[object, tuple[object, sa.Update, Any]] = {}
        self._keeping: dict[object, tuple[object, sa.Select[Any]]] = {}
        s, a = slots.c, attempts.c
        of_slot = (s.study_uuid == study_uuid, s.slot == sa.bindparam("at_slot"))
        self._mine = mine = (*of_slot, s.lease_token == sa.bindparam("at_token"))
        self.held = sa.update(slots).where(*mine)
        self.beginning = self.held.where(s.number.is_(None))
        row = (
            sa.literal(study_uuid, sa.String(32)),
            sa.bindparam("of_number", type_=sa.Integer),
            sa.bindparam("new_revision", type_=sa.BigInteger),
            sa.bindparam("new_body", type_=sa.Text),
        )
        # Not every driver counts the rows of an INSERT without being asked.
        self.add_reports = (
            sa.insert(reports)
            .from_select(_REPORT_COLUMNS, sa.select(*row).where(*mine))
            .execution_options(preserve_rowcount=True)
        )
        self.end_attempt = sa.update(attempts).where(
            a.study_uuid == study_uuid,
            a.number == sa.bindparam("of_number"),
            a.attempt == sa.bindparam("at_attempt"),
            a.ended_at.is_(None),
        )
        taken, given_back = (
            (Phase.PROPOSING.value, Phase.RUNNING.value),
            (Phase.FREE.value, Phase.RETURNED.value),
        )
        lapsed = s.phase.in_(taken) & (s.lease_until < sa.bindparam("now_s"))
        self.claimable = (
            sa.select(slots)
            # Said of all by phase, so that the index keeps away from the many that are done.
            .where(s.study_uuid == study_uuid, s.phase.in_((*taken, *given_back)))
            .where(s.phase.in_(given_back) | lapsed)
            # A free slot may be refused by the budget; it must not stand before what goes on anyway.
            .order_by(s.number.is_(None), s.slot)
            .limit(1)
        )

    def advance(
        self, now: sa.ColumnElement[float], adding: Mapping[str, int], *, bump: bool, active: bool
    ) -> tuple[sa.Update, sa.Select[Any]]:
        """The update of the study's row by which a transaction begins, and the look at what it made.

        Where the database can, the update returns the same by itself.

        Args:
            now: The database's clock.
            adding: Columns that grow, by ``add_`` and their names.
            bump: Whether a revision is taken.
            active: Whether this counts as work on the study.
        """
        key = (tuple(adding), bump, active)
        made_for, update, look = self._advancing.get(key) or (None, sa.update(studies), sa.select())
        if made_for is now:
            return update, look
        s = studies.c
        changes: dict[str, sa.ColumnElement[Any]] = {
            name: s[name] + sa.bindparam(f"add_{name}", type_=sa.BigInteger) for name in adding
        }
        if bump:
            changes["revision"] = s.revision + 1
        if active:
            changes |= {"elapsed_s": s.elapsed_s + self._gap(now), "last_active_at": now}
        # MySQL assigns from left to right, so what is read must stand before what is written.
        ordered = [(column, changes[column.name]) for column in s if column.name in changes]
        update = sa.update(studies).where(self._here).ordered_values(*ordered)
        if self._returns:
            update = update.returning(*COUNTERS, now.label("now"))
        look = sa.select(*COUNTERS, now.label("now")).where(self._here)
        self._advancing[key] = (now, update, look)
        return update, look

    def keep(self, now: sa.ColumnElement[float], lease_s: float, *, body: bool) -> sa.Select[Any]:
        """`advance`, `held` and `add_reports` in one statement, where the database can: it renews the lease.

        It selects the study's revision and the lease's new end: nothing, or an end of NULL, where somebody
        else has the slot.

        PostgreSQL takes one snapshot for all of it, before it waits for the study's row. So whether the slot
        is held is asked twice: before, that nothing be written where it is lost, and by the update of the
        slot, which looks again at the row as it is once the study is locked.

        Args:
            now: The database's clock.
            lease_s: Length of the lease.
            body: Whether there are reports, bound as for `add_reports`; else no revision is taken.
        """
        key = ("keep", lease_s, body)
        made_for, made = self._keeping.get(key) or (None, sa.select())
        if made_for is now:
            return made
        here = sa.exists(sa.select(slots.c.slot).where(*self._mine))
        advancing = self.advance(now, {}, bump=body, active=True)[0].where(here)
        advanced = advancing.returning(studies.c.uuid).cte("advanced")
        held = (
            self.held.values(lease_until=advanced.c.now + lease_s)
            .where(slots.c.study_uuid == advanced.c.uuid)
            .returning(slots.c.lease_until)
            .cte("held")
        )
        read: list[sa.ColumnElement[Any]] = [advanced.c.revision, held.c.lease_until]
        made = sa.select(*read).join_from(advanced, held, sa.true(), isouter=True)
        if body:
            row = (
                sa.literal(self._uuid, sa.String(32)),
                sa.bindparam("of_number", type_=sa.Integer),
                advanced.c.revision,
                sa.bindparam("new_body", type_=sa.Text),
            )
            stored = sa.select(*row).join_from(advanced, held, sa.true())
            made = made.add_cte(sa.insert(reports).from_select(_REPORT_COLUMNS, stored).cte("stored"))
        self._keeping[key] = (now, made)
        return made

    def _gap(self, now: sa.ColumnElement[float]) -> sa.ColumnElement[float]:
        """Seconds since some worker was active. Leases are renewed often: a long silence means nobody."""
        gap = now - studies.c.last_active_at
        nobody = studies.c.last_active_at.is_(None) | (gap < 0)
        if self._skip_silence:
            nobody |= gap > ACTIVE_GAP_S
        return sa.case((nobody, 0.0), else_=gap)
