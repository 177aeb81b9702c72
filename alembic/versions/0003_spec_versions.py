"""versions of a study's spec.

Revision: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _long_text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql")


def upgrade() -> None:
    op.create_table(
        "satisfice_spec_versions",
        sa.Column("study_uuid", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("spec", _long_text(), nullable=False),
        sa.Column("changes", _long_text(), nullable=False),
        sa.PrimaryKeyConstraint("study_uuid", "version", name=op.f("pk_satisfice_spec_versions")),
    )
    # Every study and trial stored before is of the first version of its spec.
    with op.batch_alter_table("satisfice_studies", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("spec_version", sa.Integer(), nullable=False, server_default=sa.text("1"))
        )
        batch_op.add_column(sa.Column("file_budget", _long_text(), nullable=True))
        batch_op.add_column(sa.Column("optuna_objectives", _long_text(), nullable=True))
    with op.batch_alter_table("satisfice_slots", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("spec_version", sa.Integer(), nullable=False, server_default=sa.text("1"))
        )


def downgrade() -> None:
    with op.batch_alter_table("satisfice_slots", schema=None) as batch_op:
        batch_op.drop_column("spec_version")
    with op.batch_alter_table("satisfice_studies", schema=None) as batch_op:
        batch_op.drop_column("optuna_objectives")
        batch_op.drop_column("file_budget")
        batch_op.drop_column("spec_version")
    op.drop_table("satisfice_spec_versions")
