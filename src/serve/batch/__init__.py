"""Scoring of every open group at a cut-off, and the tables and files that it writes."""
