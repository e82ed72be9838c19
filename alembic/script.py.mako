"""${message}"""

from collections.abc import Sequence

from alembic import op

revision: str = ${repr(up_revision)}
down_revision: str | Sequence[str] | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Change tables only; every upgrade applies functions, triggers, views and grants from sql/."""


def downgrade() -> None:
    """Refuse to downgrade, which would drop all files and their history."""
    raise NotImplementedError("Locaria cannot be downgraded: restore a backup instead.")
