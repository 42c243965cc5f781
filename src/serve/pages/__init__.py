"""The report as pages: the portfolio, a page for each group, the model's page."""

from .content_security_policy import POLICY
from .training_record import Record, training_record
from .write_report import INDEX, is_ours, write_report

__all__ = ["INDEX", "POLICY", "Record", "is_ours", "training_record", "write_report"]
