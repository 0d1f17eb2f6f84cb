"""batch_items, exports: what is missing of the source"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("batch_items", "exports"):
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("damage", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("exports", "batch_items"):
        with op.batch_alter_table(name) as table:
            table.drop_column("damage")
