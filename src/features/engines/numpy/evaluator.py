"""What evaluates compiled expressions: the kernel's operations in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..rounding import overflow
from .kernel import OUT_OF_SHIFT, Operation, run_operations

Array: TypeAlias = NDArray[Any]
Load: TypeAlias = Callable[[Any], Array]

BLOCK_ROWS = 4096  # rows whose registers are held side by side

_FLOAT64 = np.dtype(np.float64)


class Aspect(Enum):
    """What 64 bits say of a value; see `kernel.Operation`.

    FLOAT   float64, NaN where null
    INTEGER int64, anything where null; of an instant, microseconds since 1970
    TRUE    1 where a condition is true, else 0
    FALSE   1 where a condition is false, else 0
    NULL    1 where the value is null, else 0
    CODE    int64, equal where texts are
    """

    FLOAT = auto()
    INTEGER = auto()
    TRUE = auto()
    FALSE = auto()
    NULL = auto()
    CODE = auto()


FLOAT, INTEGER, TRUE, FALSE, NULL, CODE = Aspect


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on registers, and the register of its result."""

    operation: Operation
    arguments: tuple[int, ...]
    target: int


@dataclass(frozen=True, slots=True)
class Output:
    """A result: the registers of its value and, for some types, its nulls; and what joins them."""

    registers: tuple[int, ...]
    finish: Callable[..., Array] | None = None  # None where the bits are the float64 that is wanted


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A result that is a column of texts itself."""

    name: str
    load: Load


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Expressions compiled over one table by `compile_expressions`, called any number of times.

    Attributes:
        input_columns: names of the columns that it needs.
        step_count: how many operations it does.
    """

    input_columns: tuple[str, ...]
    step_count: int
    _names: tuple[str, ...]
    _inputs: tuple[tuple[str, Load], ...]
    _texts: Mapping[str, TextColumn]
    _numbers: Mapping[str, Output]
    _wanted: tuple[int, ...]  # their registers, each once
    _steps: NDArray[np.int64]
    _constants: NDArray[np.int64]
    _registers: int

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
        texts = _load_columns(columns, [(text.name, text.load) for text in self._texts.values()])
        rows = _row_count([*inputs, *texts], columns)
        bits = self._evaluate_in_blocks(inputs, rows)
        found: dict[str, Any] = dict.fromkeys(self._names)
        for name, output in self._numbers.items():
            finish, parts = output.finish, [bits[register] for register in output.registers]
            found[name] = finish(*parts) if finish else parts[0]
        for name, values in zip(self._texts, texts, strict=True):
            found[name] = values if values.ndim else np.full(rows, values)
        return found

    def _evaluate_in_blocks(self, inputs: Sequence[Array], rows: int) -> Mapping[int, Array]:
        """The bits of all that is wanted, by register, shape (rows,) each."""
        if rows <= BLOCK_ROWS:
            registers = self._evaluate_block(inputs, rows)
            return {register: registers[register] for register in self._wanted}
        found = {register: np.empty(rows) for register in self._wanted}
        for start in range(0, rows, BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, rows))
            part = [values[block] if values.ndim else values for values in inputs]
            registers = self._evaluate_block(part, block.stop - start)
            for register, values in found.items():
                values[block] = registers[register]
        return found

    def _evaluate_block(self, inputs: Sequence[Array], rows: int) -> NDArray[np.float64]:
        """All registers at the end, shape (registers, rows)."""
        registers = np.empty((self._registers, rows))
        bits = registers.view(np.int64)
        for place, values in enumerate(inputs, self._constants.size):
            (registers if values.dtype.kind == "f" else bits)[place] = values
        refused = run_operations(self._steps, self._constants, registers)
        if refused == OUT_OF_SHIFT:
            raise OverflowError("expected bits to stay within 63 when they are shifted, got more")
        if refused:
            raise overflow(refused)
        return registers


def build_evaluator(
    constants: Mapping[int, int],
    inputs: Mapping[int, tuple[str, Load]],
    steps: Sequence[Step],
    outputs: Mapping[str, Output | TextColumn],
) -> Evaluator:
    """What does the steps in their order, in as few registers as they need.

    Args:
        constants: the bits of each, by register.
        inputs: column and what reads it, by register.
        steps: the operations, of which all are read.
        outputs: results by name.
    """
    texts = {name: known for name, known in outputs.items() if isinstance(known, TextColumn)}
    numbers = {name: known for name, known in outputs.items() if isinstance(known, Output)}
    wanted = dict.fromkeys(slot for known in numbers.values() for slot in known.registers)
    place = {register: number for number, register in enumerate([*constants, *inputs])}
    rows, registers = _allocate(steps, place, keep={*constants, *wanted})
    columns = [name for name, _load in inputs.values()] + [text.name for text in texts.values()]
    return Evaluator(
        tuple(dict.fromkeys(columns)),
        len(steps),
        tuple(outputs),
        tuple(inputs.values()),
        texts,
        {
            name: replace(known, registers=tuple(map(place.__getitem__, known.registers)))
            for name, known in numbers.items()
        },
        tuple(place[register] for register in wanted),
        np.array(rows, np.int64).reshape(-1, 5),
        np.array(list(constants.values()), np.int64),
        registers,
    )


def _allocate(
    steps: Sequence[Step], place: dict[int, int], keep: AbstractSet[int]
) -> tuple[list[list[int]], int]:
    """Rows of `run_operations`, and how many registers they need.

    A register is used again once nobody reads it any more, so that they stay in the cache; never
    by the step that reads it last.

    Args:
        steps: the operations.
        place: of the registers that are filled before the first; the others are added.
        keep: registers that are read later, or hold the same for every block.
    """
    last_read = {slot: number for number, step in enumerate(steps) for slot in step.arguments}
    free: list[int] = []
    rows, registers = [], len(place)
    for number, step in enumerate(steps):
        if not free:
            free.append(registers)
            registers += 1
        place[step.target] = free.pop()
        arguments = [place[slot] for slot in step.arguments]
        rows.append([step.operation, *arguments, *[0] * (3 - len(arguments)), place[step.target]])
        read = set(step.arguments) - keep
        free += [place[slot] for slot in read if last_read[slot] == number]
    return rows, registers


def load_float(column: Any) -> Array:
    """A column of numbers as it is read, which most are already."""
    return np.asarray(column, np.float64)


def _load_columns(columns: Mapping[str, Any], inputs: Sequence[tuple[str, Load]]) -> list[Array]:
    found: list[Array] = []
    for name, load in inputs:
        values: Any = columns.get(name)
        as_it_is = load is load_float and type(values) is np.ndarray and values.dtype is _FLOAT64
        found.append(values if as_it_is else _load_column(columns, name, load))
    return found


def _load_column(columns: Mapping[str, Any], name: str, load: Load) -> Any:
    if name not in columns:
        raise ValueError(f"expected a column {name!r}, got {sorted(columns)}")
    try:
        return load(columns[name])
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {name!r}: {error}") from error


def _row_count(inputs: Sequence[Array], columns: Mapping[str, Any]) -> int:
    """How many rows there are: the length of every column that is read."""
    lengths = {len(values) for values in inputs if values.ndim}
    if not lengths:
        lengths = {len(values) for values in columns.values() if np.ndim(values)} or {1}
    if len(lengths) > 1:
        raise ValueError(f"expected columns of one length, got lengths {sorted(lengths)}")
    return lengths.pop()
