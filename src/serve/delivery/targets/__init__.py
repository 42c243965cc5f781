"""Where scores go: CRMs, a SQL table, a webhook, a file."""
