"""exports: the digest of the file that they were made of, and how to find them by folder and by size"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("exports") as table:
        table.add_column(sa.Column("source_sha256", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_exports_folder", "exports", ["folder"])
    op.create_index("ix_exports_wish_size_bytes", "exports", ["wish", "size_bytes"])


def downgrade() -> None:
    op.drop_index("ix_exports_wish_size_bytes", "exports")
    op.drop_index("ix_exports_folder", "exports")
    with op.batch_alter_table("exports") as table:
        table.drop_column("source_sha256")
