"""Jobs and what is stored have tenants: those that are there have none."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("ledger_job", sa.Column("tenant", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_ledger_job_tenant", "ledger_job", ["tenant", "position"])
    op.add_column("ledger_cache", sa.Column("tenant", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("ledger_cache", "tenant")
    op.drop_index("ix_ledger_job_tenant", "ledger_job")
    op.drop_column("ledger_job", "tenant")
