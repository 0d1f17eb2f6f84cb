"""Jobs carry the label of their batch, and the time of their last change: those that are there have neither."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("ledger_job", sa.Column("batch_id", sa.String(), nullable=False, server_default=""))
    op.add_column("ledger_job", sa.Column("updated_us", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_ledger_job_batch", "ledger_job", ["batch_id", "updated_us"])


def downgrade() -> None:
    op.drop_index("ix_ledger_job_batch", "ledger_job")
    op.drop_column("ledger_job", "updated_us")
    op.drop_column("ledger_job", "batch_id")
