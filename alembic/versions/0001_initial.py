"""The tables of sql/schema, as they were at the first release."""

from collections.abc import Sequence

from alembic import context, op
from locaria import sql_files

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Run sql/schema in number order."""
    for text in sql_files.schema():
        if context.is_offline_mode():
            op.get_context().impl.static_output(text)
        else:
            op.get_bind().exec_driver_sql(text)


def downgrade() -> None:
    """Refused: it would drop every file and its history."""
    raise NotImplementedError("Locaria is not downgraded: restore a backup instead.")
