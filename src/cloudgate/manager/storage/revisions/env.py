"""Alembic environment: how do migrations reach the database? By a connection handed to them."""

from alembic import context

from cloudgate.manager.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
