"""Trainings as folders, in MLflow and on the terminal: what is kept, compared and promoted."""
