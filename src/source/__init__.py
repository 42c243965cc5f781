"""From somebody's folder or file to the contract's tables, checked before anything else."""

from .checks import check, checked_source
from .opening import Source, open_source
from .problems import Problem, Report

__all__ = ["Problem", "Report", "Source", "check", "checked_source", "open_source"]
