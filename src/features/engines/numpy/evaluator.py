"""What evaluates compiled expressions: numpy calls in their order, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[..., Any]

BLOCK_ROWS = (
    4096  # rows evaluated at a time, so that what lies between two calls stays in the cache
)

_FLOAT64 = np.dtype(np.float64)


class Aspect(Enum):
    """What an array says of a value.

    FLOAT   float64, NaN where null
    INTEGER int64, anything where null; of an instant, microseconds since 1970
    TRUE    bool, where a condition is true
    FALSE   bool, where a condition is false
    NULL    bool, where the value is null
    TEXT    the column of texts itself
    CODE    int64, equal where texts are
    """

    FLOAT = auto()
    INTEGER = auto()
    TRUE = auto()
    FALSE = auto()
    NULL = auto()
    TEXT = auto()
    CODE = auto()


FLOAT, INTEGER, TRUE, FALSE, NULL, TEXT, CODE = Aspect


@dataclass(frozen=True, slots=True)
class Step:
    """One call: `registers[target] = function(*registers[arguments])`; then `released` go."""

    function: Function
    arguments: tuple[int, ...]
    target: int
    released: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """A result: the registers of its value and, for some types, its nulls; and what joins them."""

    finish: Function
    registers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Expressions compiled over one table by `compile_expressions`, called any number of times.

    Attributes:
        input_columns: names of the columns that it needs.
        step_count: how many calls it makes.
    """

    input_columns: tuple[str, ...]
    step_count: int
    _inputs: tuple[tuple[str, Function], ...]
    _outputs: tuple[str, ...]
    _run: Function

    def __call__(self, columns: Mapping[str, Any]) -> dict[str, Array]:
        """The value of every expression, each of shape (rows,).

        Args:
            columns: by name, of shape (rows,), or a scalar for the same value in every row.
                Numbers are float64 with NaN for null, texts objects (str or None), instants
                datetime64 with NaT for null; int64 and bool are masked arrays where some are null.
                Columns that no expression reads are left alone.

        Returns:
            Arrays of the same kinds. One may be a column itself, or another result: read them,
            and write into copies.

        Raises:
            ValueError: a column is missing, or has nulls where the table says there are none, or
                the columns differ in length.
            OverflowError: a whole number is too great for int64, where the engine fails as well.
                Sums and products of whole numbers are not watched.
        """
        inputs = _load_columns(columns, self._inputs)
        rows = _row_count(inputs, columns)
        # Divisions by zero and comparisons with NaN have the results that they should.
        with np.errstate(all="ignore"):
            return (
                self._evaluate_block(inputs, rows)
                if rows <= BLOCK_ROWS
                else self._evaluate_in_blocks(inputs, rows)
            )

    def _evaluate_block(self, inputs: Sequence[Any], rows: int) -> dict[str, Array]:
        return dict(zip(self._outputs, self._run(inputs, rows), strict=True))

    def _evaluate_in_blocks(self, inputs: Sequence[Any], rows: int) -> dict[str, Array]:
        """As `_evaluate_block`, some rows at a time."""
        found: dict[str, Array] = {}
        for start in range(0, rows, BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, rows))
            part = [values[block] if values.ndim else values for values in inputs]
            for name, values in self._evaluate_block(part, block.stop - start).items():
                if name not in found:
                    found[name] = np.empty(rows, values.dtype)
                if isinstance(values, np.ma.MaskedArray):
                    found[name] = np.ma.asarray(found[name])
                found[name][block] = values
        return found


def generate_evaluator(
    registers: Sequence[Any],
    inputs: Mapping[int, tuple[str, Function]],
    steps: Sequence[Step],
    outputs: Mapping[str, Output],
) -> Evaluator:
    """What makes the calls in their order.

    They are written out as one function of Python: of a few rows, a loop that looks each call and
    its registers up takes as long as the calls.

    Args:
        registers: constants in their places.
        inputs: column and what reads it, by register.
        steps: the calls.
        outputs: results by name.
    """
    namespace: dict[str, Any] = {f"r{slot}": value for slot, value in enumerate(registers)}
    lines = [f"r{slot} = given[{place}]" for place, slot in enumerate(inputs)]
    for place, step in enumerate(steps):
        namespace[f"step{place}"] = step.function
        lines.append(f"r{step.target} = step{place}({_argument_list(step.arguments)})")
        lines += [f"r{slot} = None" for slot in step.released]
    for place, output in enumerate(outputs.values()):
        namespace[f"finish{place}"] = output.finish
        lines += [
            f"value = finish{place}({_argument_list(output.registers)})",
            "found.append(value if value.ndim else full(rows, value))",  # also a constant is of all
        ]
    namespace["full"] = np.full
    for line in ("found = []", "def run(given, rows):"):
        lines.insert(0, line)
    source_code = "\n    ".join([*lines, "return found"])
    exec(compile(source_code, "<calls of an evaluator>", "exec"), namespace)  # noqa: S102 - of numbers alone
    names = dict.fromkeys(name for name, _load in inputs.values())
    return Evaluator(
        tuple(names), len(steps), tuple(inputs.values()), tuple(outputs), namespace["run"]
    )


def _argument_list(registers: Sequence[int]) -> str:
    return ", ".join(f"r{slot}" for slot in registers)


def load_float(column: Any) -> Array:
    """A column of numbers as it is read, which most are already."""
    return np.asarray(column, np.float64)


def _load_columns(columns: Mapping[str, Any], inputs: Sequence[tuple[str, Function]]) -> list[Any]:
    found = []
    for name, load in inputs:
        values = columns.get(name)
        as_it_is = load is load_float and type(values) is np.ndarray and values.dtype is _FLOAT64
        found.append(values if as_it_is else _load_column(columns, name, load))
    return found


def _load_column(columns: Mapping[str, Any], name: str, load: Function) -> Any:
    if name not in columns:
        raise ValueError(f"expected a column {name!r}, got {sorted(columns)}")
    try:
        return load(columns[name])
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {name!r}: {error}") from error


def _row_count(inputs: Any, columns: Mapping[str, Any]) -> int:
    """How many rows there are: the length of every column that is read."""
    lengths = {len(values) for values in inputs if values.ndim}
    if not lengths:
        lengths = {len(values) for values in columns.values() if np.ndim(values)} or {1}
    if len(lengths) > 1:
        raise ValueError(f"expected columns of one length, got lengths {sorted(lengths)}")
    return lengths.pop()
