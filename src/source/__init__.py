"""From somebody's folder, file or database to the contract's tables, checked before all else."""

from .checks import check_source, checked_source
from .postgres import display_name
from .problems import Problem, Report
from .spark import on_engine
from .staging import Source, open_source

__all__ = [
    "Problem",
    "Report",
    "Source",
    "check_source",
    "checked_source",
    "display_name",
    "on_engine",
    "open_source",
]
