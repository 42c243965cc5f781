"""Scores on their way to a CRM, a table, a webhook or a file: what changed, once in effect."""
