"""Create the tables of sql/schema."""

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
    """Refuse to downgrade, which would drop all files and their history."""
    raise NotImplementedError("Locaria cannot be downgraded: restore a backup instead.")
