"""Run by Alembic: migrations on the connection that `migrating.py` has opened."""

from alembic import context

settings = context.config.attributes
context.configure(
    connection=settings["connection"],
    target_metadata=settings["tables"],
    transactional_ddl=True,
    render_as_batch=settings["connection"].dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
