"""Steps of 64 bits: a step may count environment steps or tokens.

Revision: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WIDENED = {
    "satisfice_slots": (("last_step", False),),
    "satisfice_attempts": (("first_step", False), ("last_step", True)),
    "satisfice_studies": (("epochs_reserved", False),),
}


def _change(old: type, new: type) -> None:
    for table, columns in _WIDENED.items():
        with op.batch_alter_table(table) as batch:
            for name, nullable in columns:
                batch.alter_column(name, existing_type=old(), type_=new(), existing_nullable=nullable)


def upgrade() -> None:
    _change(sa.Integer, sa.BigInteger)


def downgrade() -> None:
    _change(sa.BigInteger, sa.Integer)
