"""Run by alembic: applies revisions on the engine that `migrate` was given."""

from alembic import context

with context.config.attributes["database"].begin() as connection:
    context.configure(connection=connection)
    context.run_migrations()
