"""Declared expressions in numpy: stage 2 for one group or for many coalitions, without an engine.

An engine takes milliseconds to plan a query, however few the rows. Here the same declarations are
compiled once, from the graph of their operations, into numpy calls, written out one after the
other; a test holds the results equal to the engine's. An operation without a rule is refused when
it is compiled.

A value has several *aspects*, each an array, and only those that somebody reads are computed. A
condition is two: where it is true and where it is false; where it is neither, it is null. So SQL's
logic of three values needs no masks, and a number that may be null is a float64 with NaN.
"""

from .compiled_cache import READ, features_of_terms, reduced, signals_of, terms_of
from .compiler import compiled
from .evaluator import BLOCK, Evaluator

__all__ = [
    "BLOCK",
    "READ",
    "Evaluator",
    "compiled",
    "features_of_terms",
    "reduced",
    "signals_of",
    "terms_of",
]
