"""Rejections know the version of ingest that they come from; those that are there come from the first."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("ledger_source", sa.Column("ingest_version", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("ledger_source", "ingest_version")
