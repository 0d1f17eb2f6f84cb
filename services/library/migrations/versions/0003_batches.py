"""batches: their items, what was delivered, how fast engines are"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("ended_at", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("tracks_per_hour", sa.Float(), nullable=True),
        sa.Column("remaining_s", sa.Float(), nullable=True),
        sa.Column("hindrance", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("batch_id"),
        sa.UniqueConstraint("request_id"),
    )
    op.create_table(
        "batch_items",
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("audio_s", sa.Float(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("engine_id", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("file_sizes_bytes", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("work_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "place"),
    )
    # Finds the items that wait, are active, or have a job to be withdrawn, each in order, and counts states.
    op.create_index("ix_batch_items_state", "batch_items", ["batch_id", "state", "job_id", "place"])
    op.create_table(
        "exports",
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("wish", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("file_sizes_bytes", sa.JSON(), nullable=False),
        sa.Column("audio_s", sa.Float(), nullable=False),
        sa.Column("size_class", sa.String(), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path", "wish"),
    )
    op.create_index("ix_exports_size_class", "exports", ["size_class"])
    op.create_table(
        "engine_work",
        sa.Column("engine_id", sa.String(), nullable=False),
        sa.Column("audio_s", sa.Float(), nullable=False),
        sa.Column("wall_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("engine_id"),
    )


def downgrade() -> None:
    op.drop_table("engine_work")
    op.drop_index("ix_exports_size_class", "exports")
    op.drop_table("exports")
    op.drop_index("ix_batch_items_state", "batch_items")
    op.drop_table("batch_items")
    op.drop_table("batches")
