"""PostgreSQL orders texts by their code points, as SQLite and Python do: prefixes are looked up as ranges"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = {
    "tracks": ("path",),
    "libraries": ("prefix",),
    "library_entries": ("library", "path"),
    "crates": ("library",),
    "crate_entries": ("library",),
}


def upgrade() -> None:
    _collate("C")


def downgrade() -> None:
    _collate("default")


def _collate(collation: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _COLUMNS.items():
        for column in columns:
            op.alter_column(table, column, type_=sa.String(collation=collation))
