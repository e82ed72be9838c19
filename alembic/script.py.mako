"""${message}"""

from collections.abc import Sequence

from alembic import op

revision: str = ${repr(up_revision)}
down_revision: str | Sequence[str] | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Change tables only: functions, triggers, views and grants are applied from sql/ after every upgrade."""


def downgrade() -> None:
    raise NotImplementedError("Locaria is not downgraded: restore a backup instead.")
