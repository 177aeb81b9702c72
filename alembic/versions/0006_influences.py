"""What scored rows did to the metrics of a trial.

Revision: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _long_text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql")


def upgrade() -> None:
    op.create_table(
        "satisfice_influences",
        sa.Column("study_uuid", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", _long_text(), nullable=False),
        sa.PrimaryKeyConstraint("study_uuid", "number", name=op.f("pk_satisfice_influences")),
    )


def downgrade() -> None:
    op.drop_table("satisfice_influences")
