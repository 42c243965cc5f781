"""An engine for the tables of one group: the same queries over lists, in plain Python.

An engine of columns takes a millisecond or more to plan a query, however few the rows, and one
group is looked up with some forty queries. Here a query is compiled once, from the graph of its
operations, into calls that run over lists; a test holds the answers equal to DuckDB's to the bit.
An operation without a rule is refused when it is compiled. Sums of numbers that are not exact (see
`to_fixed_point`) would depend on the order of the rows, as in any engine.
"""

from .engine import PYTHON, CompiledQuery, PythonEngine, compile_query
from .query_runner import PythonQueryRunner
from .rows import ListTable, list_table, list_table_from_arrow

__all__ = [
    "PYTHON",
    "CompiledQuery",
    "ListTable",
    "PythonEngine",
    "PythonQueryRunner",
    "compile_query",
    "list_table",
    "list_table_from_arrow",
]
