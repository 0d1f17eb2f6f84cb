"""engine_work: what the store held of the audio that an engine has separated"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("engine_work") as table:
        table.add_column(sa.Column("stored_audio_s", sa.Float(), nullable=False, server_default="0"))
        table.add_column(sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("engine_work") as table:
        table.drop_column("stored_bytes")
        table.drop_column("stored_audio_s")
