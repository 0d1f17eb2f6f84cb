"""tracks: whether only excerpts were heard; batch_items: which tracks could change places by their vocals"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tracks") as table:
        table.add_column(sa.Column("is_probed", sa.Boolean(), nullable=False, server_default="0"))
    with op.batch_alter_table("batch_items") as table:
        table.add_column(sa.Column("tier", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("batch_items") as table:
        table.drop_column("tier")
    with op.batch_alter_table("tracks") as table:
        table.drop_column("is_probed")
