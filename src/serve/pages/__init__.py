"""The report as pages: the portfolio, a page for each group, the model's page."""

from .policy import POLICY
from .record import Record, training_record
from .writing import INDEX, is_ours, write_report

__all__ = ["INDEX", "POLICY", "Record", "is_ours", "training_record", "write_report"]
