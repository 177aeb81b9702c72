"""What is left of the budget, judged inside the transaction that holds the study's row, which it is given."""

from __future__ import annotations

import sqlalchemy as sa

from satisfice.errors import BudgetSpent
from satisfice.store.ledger.phase import Phase
from satisfice.store.ledger.types import Claim
from satisfice.store.tables import slots


def trials_spent(study: sa.RowMapping) -> BudgetSpent:
    """The error where no trial is left."""
    count = study["trials_budget"]
    return BudgetSpent(f"the budget of {count} {'trial' if count == 1 else 'trials'} is spent")


def is_full(connection: sa.Connection, study_uuid: str, study: sa.RowMapping, slot: int) -> bool:
    """Whether the budget of trials was lowered so far since the slot was claimed that it has no place."""
    if study["slots"] <= study["trials_budget"]:
        return False
    s = slots.c
    before = s.number.is_not(None) | ((s.phase == Phase.PROPOSING.value) & (s.slot < slot))
    query = sa.select(sa.func.count()).where(s.study_uuid == study_uuid, s.slot != slot, before)
    return bool(connection.execute(query).scalar_one() >= study["trials_budget"])


def others_hold(connection: sa.Connection, study_uuid: str) -> bool:
    """Whether a slot is held by anybody: it may come back."""
    held = slots.c.phase.in_([Phase.PROPOSING.value, Phase.RUNNING.value])
    query = sa.select(slots.c.slot).where(slots.c.study_uuid == study_uuid, held).limit(1)
    return connection.execute(query).first() is not None


def check_time(study: sa.RowMapping) -> None:
    """See that time is left.

    Raises:
        BudgetSpent: None is.
    """
    if study["timeout_s"] is not None and study["elapsed_s"] >= study["timeout_s"]:
        raise BudgetSpent(f"the budget of {study['timeout_s']:g} s is spent")


def reserve(study: sa.RowMapping, held: int = 0, *, least: int = 1) -> int:
    """Epochs promised to a new trial, so that the total is exact whatever the workers do; 0: no total.

    Args:
        study: Its row.
        held: Epochs promised to the same slot before, to a worker that died before it began.
        least: Without so many a trial cannot begin.

    Raises:
        BudgetSpent: Fewer are left.
    """
    total = study["total_epochs_budget"]
    if total is None:
        return 0
    left = int(total - study["epochs_reserved"]) + held
    if left < least:
        rest = f" but for {left}, too few for a trial with folds" if left > 0 else ""
        raise BudgetSpent(f"the budget of {total} epochs is spent{rest}")
    return min(left, study["epochs_per_trial"] or left)


def check_lowered(connection: sa.Connection, study_uuid: str, study: sa.RowMapping, claim: Claim) -> None:
    """See that what was claimed is still in the budget.

    Raises:
        BudgetSpent: It was lowered meanwhile.
    """
    total = study["total_epochs_budget"]
    unpromised = total is not None and (not claim.reserved or study["epochs_reserved"] > total)
    if unpromised or is_full(connection, study_uuid, study, claim.slot):
        spent = BudgetSpent("the budget was lowered meanwhile")
        spent.others_hold = True  # who asks again hears what there is now
        raise spent
