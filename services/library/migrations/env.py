"""Run by alembic: applies revisions on the engine that `migrate` was given."""

from alembic import context

attributes = context.config.attributes

with attributes["database"].begin() as connection:
    context.configure(connection=connection, version_table=attributes["version_table"])
    context.run_migrations()
