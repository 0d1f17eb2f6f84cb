"""Jobs, sources, accepted results."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "ledger_job",
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("job_id", sa.String(), nullable=False, unique=True),
        sa.Column("request_id", sa.String(), nullable=False, unique=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("stage", sa.String()),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("is_cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("result", sa.JSON()),
        sa.Column("error", sa.JSON()),
    )
    op.create_index("ix_ledger_job_state", "ledger_job", ["state", "position"])
    op.create_table(
        "ledger_source",
        sa.Column("sha256", sa.String(), primary_key=True),
        sa.Column("md5", sa.String(), nullable=False),
        sa.Column("ingested", sa.JSON()),
        sa.Column("rejection", sa.JSON()),
    )
    op.create_index("ix_ledger_source_md5", "ledger_source", ["md5"])
    op.create_table(
        "ledger_result",
        sa.Column("result_id", sa.Integer(), primary_key=True),
        sa.Column("pcm_sha256", sa.String(), nullable=False),
        sa.Column("wish", sa.String(), nullable=False),
        sa.Column("engine_id", sa.String(), nullable=False),
        sa.Column("accepted", sa.JSON(), nullable=False),
        sa.UniqueConstraint("pcm_sha256", "wish"),
    )


def downgrade() -> None:
    op.drop_table("ledger_result")
    op.drop_table("ledger_source")
    op.drop_table("ledger_job")
