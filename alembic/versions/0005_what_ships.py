"""What ships stands in every stored spec: the meaning that studies were made with, before ONNX was the default.

Revision: 0005
Revises: 0004
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STUDIES = sa.table("satisfice_studies", sa.column("uuid"), sa.column("spec"))
_VERSIONS = sa.table("satisfice_spec_versions", sa.column("study_uuid"), sa.column("version"), sa.column("spec"))


def _stated(content: dict[str, Any]) -> dict[str, Any]:
    if "model" not in content or "ship" in content:
        return content
    measure = {**content.get("measure", {}), "runtime": "torch"}
    return {**content, "measure": measure, "ship": {"format": "safetensors"}}


def _left_out(content: dict[str, Any]) -> dict[str, Any]:
    """Without what an older satisfice means anyway. A study that ships ONNX keeps its keys: it is refused there."""
    if content.get("ship") != {"format": "safetensors"} or content["measure"].get("runtime") != "torch":
        return content
    measure = {key: value for key, value in content["measure"].items() if key != "runtime"}
    rest = {key: value for key, value in content.items() if key not in ("measure", "ship")}
    return {**rest, "measure": measure} if measure else rest


def _rewrite(change: Any) -> None:
    connection = op.get_bind()
    for table, keys in ((_STUDIES, ("uuid",)), (_VERSIONS, ("study_uuid", "version"))):
        for row in connection.execute(sa.select(table)).mappings().all():
            before = json.loads(row["spec"])
            after = change(before)
            if after is not before:
                here = sa.and_(*(table.c[key] == row[key] for key in keys))
                connection.execute(sa.update(table).where(here).values(spec=json.dumps(after)))


def upgrade() -> None:
    _rewrite(_stated)


def downgrade() -> None:
    _rewrite(_left_out)
