"""What is stored of audio and results, and when it was last used. What is there already is counted in at the start."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "ledger_cache",
        sa.Column("place", sa.String(), primary_key=True),
        sa.Column("pcm_sha256", sa.String(), nullable=False),
        sa.Column("engine_id", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("used_s", sa.BigInteger(), nullable=False),
        sa.Column("is_leaving", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_ledger_cache_use", "ledger_cache", ["used_s", "place"])
    op.create_index("ix_ledger_cache_audio", "ledger_cache", ["pcm_sha256"])


def downgrade() -> None:
    op.drop_table("ledger_cache")
