"""The engines that are compiled from the graph of a query answer as DuckDB does, to the bit."""

from __future__ import annotations

from datetime import datetime, timedelta

import ibis
import ibis.expr.operations as ops
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.contract import TABLES, schema
from mqbg.features import feature_table, prepare_source
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.engines.arrow import ArrowEngine, columns, joins
from mqbg.features.engines.python import PythonEngine, compile_query, list_table_from_arrow
from mqbg.features.tables.feature_table import open_snapshot
from mqbg.settings import Settings
from mqbg.source import Source

AS_OF = datetime(2024, 6, 1)
SCHEMA = {"key": "string", "whole": "int64", "number": "float64", "at": "timestamp(6)"}


ENGINES = {"lists": PythonEngine, "arrays": ArrowEngine}


def opened(tables, kind):
    """Tables of Arrow as a source that an engine of ours holds."""
    engine = ENGINES[kind]()
    found = {}
    for name in TABLES:
        engine.tables[name] = engine.rows_of(tables[name])
        found[name] = ops.DatabaseTable(name, schema(name), engine).to_expr()
    return prepare_source(Source(engine, found, {}, (), "test"), Settings())


def terms_of(at):
    """The member rows' terms, a mapping for each."""
    rows = at.term_rows
    people = zip(rows.group_ids, rows.contact_ids, rows.roles, strict=True)
    return [
        {"who": who, **dict(enumerate(values.tolist()))}
        for who, values in zip(people, rows.values, strict=True)
    ]


@pytest.fixture(scope="module", params=ENGINES)
def kind(request):
    return request.param


@pytest.fixture(
    scope="module", params=[0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def sources(request, open_tables, random_tables, kind):
    big = open_tables(random_tables(request.param, AS_OF))
    tables = {name: rows.to_pyarrow() for name, rows in big.contract_tables.items()}
    return big, opened(tables, kind)


def test_features_are_those_of_the_big_scan(sources, bits):
    big, small = sources
    words = build_catalogue(find_vocabulary(big, AS_OF))
    for as_of in (AS_OF - timedelta(days=30), AS_OF):
        wanted = [bits(row) for row in feature_table(big, words, [as_of]).to_pylist()]
        ids = [row["group_id"] for row in wanted]
        got = feature_table(small, words, [as_of], only=ids).to_pylist()
        assert [bits(row) for row in got] == wanted


def test_a_moment_holds_the_same_facts_and_terms(sources, bits):
    big, small = sources
    words = build_catalogue(find_vocabulary(big, AS_OF))
    ids = feature_table(big, words, [AS_OF])["group_id"].to_pylist()
    with open_snapshot(big, words, AS_OF, only=ids) as at:
        wanted = [at.fact_rows().to_pylist(), terms_of(at)]
    with open_snapshot(small, words, AS_OF, only=ids) as at:
        got = [at.fact_rows().to_pylist(), terms_of(at)]
    for ours, theirs in zip(got, wanted, strict=True):
        assert [bits(row) for row in ours] == [bits(row) for row in theirs]


def test_nothing_is_left_in_the_engine_after_a_moment(sources):
    big, small = sources
    words = build_catalogue(find_vocabulary(big, AS_OF))
    with open_snapshot(small, words, AS_OF, only=["g0"]) as at:
        at.features()
    before = set(small.backend.tables)
    with open_snapshot(small, words, AS_OF, only=["g0"]) as at:
        at.features()
        assert set(small.backend.tables) > before
    assert set(small.backend.tables) == before


def test_activities_are_kept_with_their_kinds_and_contents_and_are_those_of_the_big_scan(
    sources,
):
    big, small = sources
    assert isinstance(small.activities.op(), ops.DatabaseTable)
    assert not isinstance(big.activities.op(), ops.DatabaseTable)
    columns = sorted(big.activities.columns)
    wanted = big.activities.select(columns).to_pyarrow()
    query = small.backend.compile(small.activities.select(columns))
    got = query(small.backend).to_arrow(wanted.schema)
    order = [(name, "ascending") for name in columns]
    assert got.sort_by(order).to_pylist() == wanted.sort_by(order).to_pylist()


@pytest.mark.parametrize("how", ["semi", "anti"])
@pytest.mark.parametrize("keys", [[], ["a"], ["c"], ["a", "b"], ["a", "b", None]])
def test_rows_with_and_without_a_match_are_found_whether_that_is_all_or_none(how, keys, kind):
    rows = pa.table({"key": pa.array(["a", None, "b", "a"], pa.string()), "n": [1, 2, 3, 4]})
    others = pa.table({"key": pa.array(keys, pa.string())})
    engine, tables = ENGINES[kind](), []
    for name, table in (("rows", rows), ("others", others)):
        engine.tables[name] = engine.rows_of(table)
        held = ibis.Schema.from_pyarrow(table.schema)
        tables.append(ops.DatabaseTable(name, held, engine).to_expr())
    query = tables[0].join(tables[1], "key", how=how).select("n")
    found = engine.compile(query)(engine).to_arrow(pa.schema({"n": pa.int64()}))
    present = {key for key in keys if key is not None}
    wanted = [
        n
        for key, n in zip(*rows.to_pydict().values(), strict=True)
        if (key in present) is (how == "semi")
    ]
    assert found["n"].to_pylist() == wanted


INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2199, 12, 31))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.none() | st.sampled_from("abc"),
            "whole": st.none() | st.integers(-100, 100),
            "number": st.none() | st.just(-0.0) | st.integers(-40, 40).map(lambda n: n / 8),
            "at": st.none() | INSTANTS,
        }
    ),
    max_size=14,
)


def _selected(left, right):
    return left.select(
        "key",
        same=left.key == "a",
        among=left.key.isin(["a", "b"]),
        three=(left.whole > 3) | ((left.number < 1) & ~(left.key == "b")),
        known=ibis.coalesce(left.whole, 7),
        most=ibis.greatest(left.whole, 5),
        least=ibis.least(left.number, 0.5),
        clipped=left.number.clip(lower=0.0),
        clipped_above=left.number.clip(upper=0.0),
        clipped_twice=left.number.clip(lower=-1.0, upper=1.0),
        rounded=left.number.round(),
        cast=(left.number * 2).cast("int64"),
        floored=left.whole // 7,
        place=left.key.cases(("a", 1), ("c", 2), else_=-1),
        chosen=(left.whole > 0).ifelse("up", "down"),
        between=left.whole.between(-3, 30),
        day=left.at.truncate("D"),
        seconds=left.at.epoch_seconds().floor().cast("int64"),
        earlier=left.at - ibis.interval(days=30),
        month=left.at.month(),
        quarter=left.at.quarter(),
        year=left.at.year(),
    )


def _reduced(left, right):
    return left.group_by("key").agg(
        rows=left.count(),
        some=left.count(where=left.whole > 0),
        known=left.number.count(),
        different=left.whole.nunique(),
        total=left.number.sum(),
        last=left.at.max(where=left.whole > 0),
        first=left.at.min(),
    )


def _all_together(left, right):
    return left.agg(rows=left.count(), total=left.whole.sum(), any=(left.whole > 5).any())


def _of_two_columns(left, _right):
    small, large = left.whole < 0, left.number > 1
    return left.select(
        either=small | large,
        both=small & large,
        neither=~(small | large),
        known=ibis.coalesce(left.whole.cast("float64"), left.number),
        of_three=ibis.coalesce(left.whole.cast("float64"), left.number, 2.5),
        most=ibis.greatest(left.whole.cast("float64"), left.number),
        least=ibis.least(left.whole.cast("float64"), left.number),
        of_more=ibis.greatest(left.whole, 3, left.whole + 1),
        turned=7 - left.whole,
        late=ibis.literal(AS_OF) < left.at,
        chosen=large.ifelse(left.whole, ibis.null("int64")),
        **{"{0} 'of' {names}": left.key, 'a "{1}"': left.whole + 1},
    )


def _read_in_part(left, right):
    """Relations of which some columns are read, and one of which only the rows are."""
    rows = left.mutate(double=left.whole * 2, unread=left.number + 1).filter(left.whole > -50)
    both = ibis.union(rows, rows.mutate(double=rows.double + 1)).order_by("at")
    joined = both.join(right.select("key", unread=right.whole + 1), "key")
    grouped = both.group_by("key", "whole").agg(total=both.double.sum(), unread=both.at.max())
    return grouped.select("total", "whole", found=grouped.key.isin(joined.key))


def _numbered(left, right):
    whole = ibis.window(group_by=left.key)
    ordered = ibis.window(group_by=left.key, order_by=[left.whole, left.number, left.at])
    return left.mutate(place=ibis.row_number().over(ordered), best=left.number.max().over(whole))


def _logic(table):
    """Every join of conditions that may be null, and of those that never are."""
    maybe = {"below": table.number < 1.0, "equal": table.whole == 2}
    never = {"known": table.key.notnull(), "filled": table.number.fill_null(0.0) > 0.5}
    conditions = maybe | never
    return table.select(
        **{f"{a}_and_{b}": x & y for a, x in conditions.items() for b, y in conditions.items()},
        **{f"{a}_or_{b}": x | y for a, x in conditions.items() for b, y in conditions.items()},
        **{f"not_{a}": ~x for a, x in conditions.items()},
        sum=table.number.fill_null(0.5) + table.whole.fill_null(1),
    )


def _logic_of_an_outer_join(left, right):
    """A column that is never null is null in rows without a match."""
    flagged = right.select("key", flag=right.number.notnull(), seen=right.whole.isnull())
    joined = left.left_join(flagged, "key")
    return joined.select(
        both=joined.flag & (joined.number > 0), either=joined.seen | joined.flag, no=~joined.flag
    )


def _of_two_zeros(left, right):
    """0.0 and -0.0 are one value, whichever stands for both."""
    zero = left.number.isin([0.0, 0.5])
    flagged = left.mutate(zero=zero, place=left.number.cases((0.0, 1), (-0.5, 2), else_=3))
    by_number = flagged.group_by("number", "zero", "place").agg(rows=flagged.count())
    pairs = left.join(right.select("number"), "number").group_by("key").agg(rows=ibis._.count())
    found = left.filter(left.number.isin(right.number)).group_by("key").agg(rows=ibis._.count())
    return ibis.union(
        by_number.select(ibis.literal("number").name("key"), "rows"), ibis.union(pairs, found)
    )


def _beyond_exact(left, _right):
    """Whole numbers that are no doubles, and numbers that Ibis calls whole."""
    large = left.whole + 2**53 + 1
    return left.select(
        half=large / 2,
        between=large.between(left.number, 2.0**60),
        chosen=(left.whole > 0).ifelse(left.whole, 2.5),
        late=left.at.epoch_seconds() > 0.5,
        same=left.at.epoch_seconds() == left.at.epoch_seconds(),
        greatest=ibis.greatest(left.whole > 1, left.number > 1),
    )


QUERIES = {
    "select": _selected,
    "select of two columns": _of_two_columns,
    "read in part": _read_in_part,
    "rows alone": lambda left, right: (
        left.filter(left.whole > 0).join(right.select("key"), "key").aggregate(pairs=ibis._.count())
    ),
    "union with nothing": lambda left, right: ibis.union(
        left.filter(left.key == "z"), right.mutate(whole=right.whole + 1)
    ).select("key", "whole"),
    "none left": lambda left, right: left.anti_join(
        right.filter(right.key == "z"), "key"
    ).left_join(right.semi_join(left.filter(left.key == "z"), "whole"), "whole"),
    "filter": lambda left, _right: left.filter(left.whole > 0, left.key != "b"),
    "inner join": lambda left, right: left.join(right, "key"),
    "left join": lambda left, right: left.left_join(right, ["key", "whole"]),
    "named sides": lambda left, right: left.left_join(
        right.select("number", other=right.key), [("key", "other")]
    ),
    "semi join": lambda left, right: left.semi_join(right, "key"),
    "anti join": lambda left, right: left.anti_join(right, ["key", "whole"]),
    "two joins": lambda left, right: (
        left.select("key", "whole")
        .left_join(right.select("key", "number"), "key")
        .drop("key_right")
        .join(right.select("whole", "at"), "whole")
    ),
    "group": _reduced,
    "reduce": _all_together,
    "union": lambda left, right: ibis.union(left, right),
    "distinct": lambda left, _right: left.select("key", "whole").distinct(),
    "window": _numbered,
    "reduce what is never null": lambda left, _right: left.agg(
        any=left.number.isnull().any(), total=left.whole.fill_null(1).sum()
    ),
    "group what is never null": lambda left, _right: left.group_by("key").agg(
        any=left.number.isnull().any(), total=left.whole.fill_null(1).sum()
    ),
    "two zeros": _of_two_zeros,
    "beyond exact": _beyond_exact,
    "join on a day": lambda left, right: left.select("key", day=left.at.date()).join(
        right.select(number="number", day=right.at.date()), "day"
    ),
    "logic": lambda left, _right: _logic(left),
    "logic of an outer join": lambda left, right: _logic_of_an_outer_join(left, right),
    "among another's": lambda left, right: left.mutate(
        found=left.key.isin(right.filter(right.key.notnull()).key)
    ),
}


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_an_operation_answers_as_duckdb_does(name, kind, duck, data):
    tables = [
        pa.Table.from_pylist(data.draw(ROWS), ibis.schema(SCHEMA).to_pyarrow()) for _ in range(2)
    ]
    engine = ENGINES[kind]()
    for place, table in enumerate(tables):
        duck.create_table(f"t{place}", table, overwrite=True)
        engine.tables[f"t{place}"] = engine.rows_of(table)
    query = QUERIES[name](*(duck.table(f"t{place}") for place in range(2)))
    wanted = query.to_pyarrow()
    got = engine.compile(query)(engine).to_arrow(wanted.schema)
    assert sorted(map(repr, got.to_pylist())) == sorted(map(repr, wanted.to_pylist()))


@pytest.fixture(scope="module")
def duck():
    backend = ibis.duckdb.connect(threads=1)
    yield backend
    backend.disconnect()


@given(rows=ROWS, ascending=st.booleans(), nulls_first=st.booleans())
@settings(max_examples=8, deadline=None)
def test_rows_are_sorted_as_duckdb_sorts_them(duck, kind, rows, ascending, nulls_first):
    table = pa.Table.from_pylist(rows, ibis.schema(SCHEMA).to_pyarrow())
    engine = ENGINES[kind]()
    engine.tables["sorted"] = engine.rows_of(table)
    given_rows = duck.create_table("sorted", table, overwrite=True)
    order = ibis.asc if ascending else ibis.desc
    keys = [order(given_rows[c], nulls_first=nulls_first) for c in ("whole", "key", "number", "at")]
    query = given_rows.order_by(*keys)
    wanted = query.to_pyarrow()
    got = engine.compile(query)(engine).to_arrow(wanted.schema)
    assert got.to_pylist() == wanted.to_pylist()


def test_a_column_that_nobody_reads_is_not_made():
    engine = PythonEngine({"t": list_table_from_arrow(pa.table({"number": [1e300, 2.0]}))})
    table = ops.DatabaseTable("t", ibis.schema({"number": "float64"}), engine).to_expr()
    rows = table.mutate(whole=table.number.round(), unread=table.number.round() + 1)
    small = rows.filter(rows.number < 9)
    assert compile_query(small.select("number"))(engine).columns["number"] == [2.0]
    with pytest.raises(OverflowError):
        compile_query(small.select("whole"))(engine)


def test_an_operation_without_a_rule_is_refused():
    table = ops.DatabaseTable("t", ibis.schema({"key": "string"}), PythonEngine()).to_expr()
    with pytest.raises(TypeError, match="plain Python has a rule for, got Uppercase"):
        compile_query(table.select(upper=table.key.upper()))


@pytest.mark.parametrize("limit", [(columns, "MAX_TEXT_BYTES"), (joins, "MAX_ROWS")])
def test_rows_that_a_join_repeats_are_refused_beyond_a_limit(limit, monkeypatch):
    table = pa.table({"key": ["a"] * 30, "text": ["x" * 10] * 30})
    engine = ArrowEngine()
    engine.tables["t"] = engine.rows_of(table)
    rows = ops.DatabaseTable("t", ibis.Schema.from_pyarrow(table.schema), engine).to_expr()
    query = engine.compile(rows.join(rows.view().select("key"), "key").select("text"))
    monkeypatch.setattr(*limit, 30 * 30 * 10)
    assert query(engine).to_arrow(pa.schema({"text": pa.string()})).num_rows == 30 * 30
    monkeypatch.setattr(*limit, 30 * 30 - 1)
    with pytest.raises(OverflowError, match="of at most 899"):
        query(engine).to_arrow(pa.schema({"text": pa.string()}))
