"""The queries of plain Python over Arrow's columns: for the tables of many groups.

Over tens of thousands of rows a list costs a step for each value of each column. Here the same
steps call functions of Arrow, or those of plain Python where it has none; a test holds the answers
equal to DuckDB's to the bit, as for lists. Of one group, lists are faster.
"""

from .columns import ArrowRows, arrow_rows
from .engine import ARRAYS, ARROW, ArrowEngine

__all__ = ["ARRAYS", "ARROW", "ArrowEngine", "ArrowRows", "arrow_rows"]
