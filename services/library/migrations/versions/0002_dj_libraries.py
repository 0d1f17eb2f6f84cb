"""DJ libraries with their crates; tracks know of vocals and of what DJ programs have written into their files"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tracks", sa.Column("dj_facts", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("tracks", sa.Column("vocal_share", sa.Float(), nullable=True))
    op.add_column("tracks", sa.Column("real_path", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "libraries",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("path_maps", sa.JSON(), nullable=False),
        sa.Column("scanned_at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("prefix"),
    )
    _create_contents()


def _create_contents() -> None:
    op.create_table(
        "library_entries",
        sa.Column("library", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("artist", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("album", sa.String(), nullable=False),
        sa.Column("genre", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("bpm", sa.Float(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("library", "position"),
    )
    op.create_index("ix_library_entries_path", "library_entries", ["path"])
    op.create_table(
        "crates",
        sa.Column("library", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("library", "position"),
    )
    op.create_table(
        "crate_entries",
        sa.Column("library", sa.String(), nullable=False),
        sa.Column("crate", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("library", "crate", "place"),
    )
    op.create_index("ix_crate_entries_entry", "crate_entries", ["library", "entry"])


def downgrade() -> None:
    for table in ("crate_entries", "crates", "library_entries", "libraries"):
        op.drop_table(table)
    for column in ("real_path", "vocal_share", "dj_facts"):
        op.drop_column("tracks", column)
