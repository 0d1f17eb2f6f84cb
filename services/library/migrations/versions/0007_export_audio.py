"""exports: the digest of the audio that they were made of, without its tags"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("exports") as table:
        table.add_column(sa.Column("audio_sha256", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("exports") as table:
        table.drop_column("audio_sha256")
