"""The report as pages: the portfolio, a page for each group, the model's page."""

from .content_security_policy import POLICY
from .training_record import TrainingRecord, training_record
from .write_report import INDEX, is_report_file, write_report

__all__ = ["INDEX", "POLICY", "TrainingRecord", "is_report_file", "training_record", "write_report"]
