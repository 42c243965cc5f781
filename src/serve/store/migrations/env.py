"""Run by Alembic: the revisions on the connection that `migrating` hands over."""

from __future__ import annotations

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], version_table=given["version_table"])
# The transaction is the caller's: an upgrade that fails leaves the store as it was.
context.run_migrations()
