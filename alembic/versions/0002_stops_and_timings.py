"""why a study stopped itself, and the timings that a study counts with.

Revision: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _long_text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql")


def upgrade() -> None:
    op.create_table(
        "satisfice_timings",
        sa.Column("study_uuid", sa.String(length=32), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("metric", sa.String(length=40), nullable=False),
        sa.Column("body", _long_text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "study_uuid", "architecture", "place", "metric", name=op.f("pk_satisfice_timings")
        ),
    )
    # Studies stored before tell architectures apart by every hyperparameter: their trials were timed so.
    with op.batch_alter_table("satisfice_studies", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("architecture_form", sa.Integer(), nullable=False, server_default=sa.text("1"))
        )
        batch_op.add_column(sa.Column("stopped", _long_text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("satisfice_studies", schema=None) as batch_op:
        batch_op.drop_column("stopped")
        batch_op.drop_column("architecture_form")
    op.drop_table("satisfice_timings")
