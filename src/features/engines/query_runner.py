"""What runs queries: what every engine can do, each in a class of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import ibis.expr.types as ir
import pyarrow as pa

from ..declare.expressions import AsOf
from .columns import Columns, columns_of_arrow

MAX_CACHED_CATALOGUES = (
    64  # of each engine, whose queries are remembered; the least used goes first
)

Build: TypeAlias = Callable[[], ir.Table]
"""Makes the expression of a query; it is not called where the query's text is known."""

Query = TypeVar("Query")


@dataclass
class QueryRunner(ABC):
    """Queries that differ from run to run in nothing but the data, the cut-off and the ids asked.

    A query has a label, and what it gives is kept in the engine under it or fetched from there.

    Attributes:
        backend: the engine, as Ibis or `PythonEngine` has it.
        cache_key: of everything that shapes the queries; the same key and label, the same query.
        table_prefix: of the names of kept tables.
        runs_in_process: small queries are answered at once, so that what is kept is asked where it
            is.
        max_looked_up: so many groups are looked up, more are scanned for.
        bounds_memory: it adds all groups up in the memory of this process, a portion at a time.
        prefers_sorting: it finds repeated values faster by sorting than by grouping them.
        shares_columns: of a kept table it makes only the columns that are read, each once for all
            queries, so that it costs nothing to keep joined rows.
    """

    runs_in_process: ClassVar[bool] = True
    max_looked_up: ClassVar[int] = 64
    bounds_memory: ClassVar[bool] = False
    prefers_sorting: ClassVar[bool] = False
    shares_columns: ClassVar[bool] = False

    backend: Any
    cache_key: str
    table_prefix: str = ""

    @abstractmethod
    def set_as_of(self, as_of: datetime) -> AsOf:
        """The cut-off as the expressions of this run read it."""

    @abstractmethod
    def materialize(self, label: str, build: Build) -> ir.Table:
        """The rows of a query, held by the engine until `release`."""

    @abstractmethod
    def load_rows(self, label: str, rows: pa.Table) -> ir.Table:
        """A few rows made here, such as the settings of kinds, as a table of the engine."""

    @abstractmethod
    def fetch(self, label: str, build: Build) -> pa.Table:
        """The rows of a query."""

    def fetch_small(self, label: str, build: Build) -> pa.Table:
        """The rows of a query, where they are so few that planning it takes the time."""
        return self.fetch(label, build)

    def fetch_columns(self, label: str, build: Build) -> Columns:
        """The rows of a query, a few, as arrays by the names of the columns."""
        return columns_of_arrow(self.fetch_small(label, build))

    @contextmanager
    def lookup(self) -> Iterator[None]:
        """A block of queries on few rows, which the engine may plan with less care."""
        yield

    @abstractmethod
    def drop(self, *labels: str) -> None:
        """Lets go of tables that later queries do not read, for their memory."""

    @abstractmethod
    def release(self) -> None:
        """Lets go of everything kept."""

    def table_name(self, label: str) -> str:
        """What the engine calls the table of a label."""
        return f"mqbg_{self.table_prefix}{label}"


@dataclass(frozen=True, slots=True)
class CompiledCatalogue(Generic[Query]):
    """What is known of the queries with one `cache_key`.

    Attributes:
        queries: compiled, and the columns of their rows, by label.
        kept_columns: of the tables that the engine holds, by label.
    """

    queries: dict[str, tuple[Query, pa.Schema]] = field(default_factory=dict)
    kept_columns: dict[str, Any] = field(default_factory=dict)

    def compile(
        self, label: str, build: Build, compile_query: Callable[[ir.Table], Query]
    ) -> tuple[Query, pa.Schema]:
        """A query, compiled when it is first asked for.

        Building and compiling expressions of a hundred columns takes longer than looking one
        group up.
        """
        if label not in self.queries:
            rows = build()
            self.queries[label] = compile_query(rows), rows.schema().to_pyarrow()
        return self.queries[label]


class CompiledCatalogues(Generic[Query]):
    """What one engine remembers in this process, whichever source asked."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[str, CompiledCatalogue[Query]] = OrderedDict()

    def find(self, cache_key: str) -> CompiledCatalogue[Query]:
        """What is known under a key, which is the latest used from now on."""
        found = self._by_key.setdefault(cache_key, CompiledCatalogue())
        self._by_key.move_to_end(cache_key)
        if len(self._by_key) > MAX_CACHED_CATALOGUES:
            self._by_key.popitem(last=False)
        return found


def group_id_table(ids: Sequence[str]) -> pa.Table:
    """A table of one column, group_id."""
    return pa.table({"group_id": pa.array(ids, pa.string())})
