"""The function that a compiled query becomes: its calls in their order, short ones written out.

Over the few rows of one group, a loop that looks up each call and its arguments takes as long as
the calls, and so does a call for what Python says in one expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .values import Function


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A call that is written out.

    Attributes:
        template: an expression of Python; {0}, {1} ... stand for the arguments.
        names: objects that stand for other words in braces.
    """

    template: str
    names: Mapping[str, Any] = field(default_factory=dict)


Call = Function | Written
Step = tuple[Call, tuple[int, ...], int]
"""A call, the places of its arguments, and that of its result."""


def quoted(text: str) -> str:
    """A text as a template has it."""
    return repr(text).replace("{", "{{").replace("}", "}}")


def write_query(
    registers: Sequence[Any],
    tables_read: Mapping[int, str],
    as_of_registers: Sequence[int],
    steps: Sequence[Step],
    result: int,
) -> Function:
    """A function of the tables by name, and of the cut-off, that gives the rows of a query.

    Args:
        registers: constants in their places.
        tables_read: names of tables by their places.
        as_of_registers: places that hold the cut-off.
        steps: the calls.
        result: place of the rows.
    """
    namespace: dict[str, Any] = {f"r{place}": value for place, value in enumerate(registers)}
    lines = ["def run(tables, as_of):"]
    lines += [f"r{place} = tables[{name!r}]" for place, name in tables_read.items()]
    lines += [f"r{place} = as_of" for place in as_of_registers]
    for number, (call, places, target) in enumerate(steps):
        arguments = [f"r{place}" for place in places]
        if isinstance(call, Written):
            words = {name: f"{name}{number}" for name in call.names}
            namespace |= {words[name]: value for name, value in call.names.items()}
            value = call.template.format(*arguments, **words)
        else:
            namespace[f"step{number}"] = call
            value = f"step{number}({', '.join(arguments)})"
        lines.append(f"r{target} = {value}")
    lines.append(f"return r{result}")
    exec(compile("\n    ".join(lines), "<steps of a query>", "exec"), namespace)  # noqa: S102 - our own words
    run: Function = namespace["run"]
    return run
