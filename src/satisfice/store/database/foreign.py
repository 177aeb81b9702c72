"""Whether a database belongs to another program, whose tables have names that Optuna's would have."""

from __future__ import annotations

import sqlalchemy as sa

from satisfice.errors import StorageError
from satisfice.store.database.engine import Database
from satisfice.store.database.url import masked

# Columns that Optuna's tables have had in every version.
_OPTUNA = {
    "studies": {"study_id", "study_name"},
    "trials": {"trial_id", "study_id"},
    "version_info": {"schema_version", "library_version"},
}


def refuse_foreign(db: Database) -> None:
    """See that Optuna may create its tables here, or has.

    Raises:
        StorageError: Another program has tables of such names; nothing was written.
    """
    with db.read() as connection:
        inspector = sa.inspect(connection)
        present = set(inspector.get_table_names())
        taken = [
            name
            for name, needed in _OPTUNA.items()
            if name in present and not needed <= {column["name"] for column in inspector.get_columns(name)}
        ]
        if "alembic_version" in present and "version_info" not in present:
            taken.append("alembic_version")  # Optuna makes it after its other tables
    if taken:
        raise StorageError(
            f"{masked(db.url)} belongs to another program: its table {taken[0]!r} is none of Optuna's",
            hint="name another database, or a new one",
        )
