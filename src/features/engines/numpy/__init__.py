"""Declared expressions in numpy: stage 2 for coalitions and for some thousand groups, no engine.

An engine takes milliseconds to plan a query, however few the rows. Here the same declarations are
compiled once, from the graph of their operations, into a list of steps, which one loop of machine
code does (`kernel`): of a few rows, to call numpy for each takes longer than all they compute. A
test holds the results equal to the engine's. An operation without a rule is refused when it is
compiled.

A value has several *aspects*, each a column of 64 bits, and only those that somebody reads are
computed. A condition is two: where it is true and where it is false; where it is neither, it is
null. So SQL's logic of three values needs no masks, and a number that may be null is a float64 with
NaN.
"""

from .compiled_cache import (
    COLUMNS_READ,
    MAX_ROWS_TOGETHER,
    aggregate_signals,
    feature_evaluator,
    signal_evaluator,
    term_evaluator,
)
from .evaluator import BLOCK_ROWS, Evaluator
from .expressions import compile_expressions

__all__ = [
    "BLOCK_ROWS",
    "COLUMNS_READ",
    "MAX_ROWS_TOGETHER",
    "Evaluator",
    "aggregate_signals",
    "compile_expressions",
    "feature_evaluator",
    "signal_evaluator",
    "term_evaluator",
]
