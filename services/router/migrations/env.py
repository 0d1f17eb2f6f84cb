"""Run by alembic: applies revisions on the engine that `migrate` was given."""

from alembic import context

from services.router.migrations import VERSION_TABLE

with context.config.attributes["database"].begin() as connection:
    context.configure(connection=connection, version_table=VERSION_TABLE, render_as_batch=True)
    context.run_migrations()
