"""Scores in front of people: batch scoring, its tables, pages."""
