"""Removing a person from scores, pages, the store and the outbox."""
