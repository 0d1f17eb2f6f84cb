"""Cloud accounts that were allowed, and what they were ordered to spend."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "ledger_cloud_account",
        sa.Column("account", sa.String(), primary_key=True),
        sa.Column("is_allowed", sa.Boolean(), nullable=False),
        sa.Column("minutes_per_day", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
    )
    op.create_table(
        "ledger_cloud_order",
        sa.Column("order_id", sa.Integer(), primary_key=True),
        sa.Column("idempotency_key", sa.String(), nullable=False, unique=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("engine_id", sa.String(), nullable=False),
        sa.Column("pcm_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("minutes", sa.Float(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
    )
    op.create_index("ix_ledger_cloud_order_day", "ledger_cloud_order", ["account", "day"])
    op.create_index("ix_ledger_cloud_order_batch", "ledger_cloud_order", ["batch"])
    op.create_index("ix_ledger_cloud_order_audio", "ledger_cloud_order", ["pcm_sha256", "engine_id"])


def downgrade() -> None:
    op.drop_table("ledger_cloud_order")
    op.drop_table("ledger_cloud_account")
