"""Run by Alembic: the revisions on the connection that `migrate` hands over."""

from __future__ import annotations

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table=attributes["version_table"])
# The transaction is the caller's: an upgrade that fails leaves the store as it was.
context.run_migrations()
