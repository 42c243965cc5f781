"""Declared expressions in numpy answer as the engine does, null by null and bit by bit."""

from __future__ import annotations

import math
import pickle
import random
from dataclasses import replace
from datetime import datetime
from itertools import product

import duckdb
import ibis
import ibis.expr.operations as ops
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.contract import BUYING_JOBS
from mqbg.features.declare.catalogue import build_catalogue, unbound_aggregates, unbound_member_rows
from mqbg.features.declare.expressions import cutoff_literal, days_before, days_between, indicator
from mqbg.features.declare.fixed_point import to_fixed_point
from mqbg.features.declare.signals import Aggregation, InputRows, Signal
from mqbg.features.declare.template import Template, TemplateRole, reserved_parts, slugs
from mqbg.features.declare.vocabulary import Vocabulary, find_vocabulary
from mqbg.features.engines.numpy import (
    BLOCK_ROWS,
    COLUMNS_READ,
    Evaluator,
    aggregate_signals,
    compile_expressions,
    feature_evaluator,
    signal_evaluator,
    term_evaluator,
)
from mqbg.features.tables.feature_table import open_snapshot
from mqbg.features.tables.group_features import (
    GROUP_KEY,
    aggregate_terms,
    features_from_aggregates,
    member_terms,
)
from mqbg.features.tables.member_signals import _READERS, with_age_days
from mqbg.settings import FeatureSettings, RoleRequirement

AS_OF = datetime(2024, 6, 1)
SEEDS = (5, pytest.param(6, marks=pytest.mark.slow), pytest.param(7, marks=pytest.mark.slow))
ROLES = ("decision_maker", "情報 システム", "user")
QUICK = settings(max_examples=15, deadline=None, derandomize=True)


def words():
    parts = slugs(ROLES, reserved_parts(FeatureSettings()))
    roles = tuple(TemplateRole(role, parts[role], RoleRequirement(), {}) for role in ROLES)
    return build_catalogue(
        Vocabulary(
            Template(roles),
            ("web", "mail"),
            ("budget", "timing"),
            ("it", "人事"),
            uncertain_roles=True,
        )
    )


WORDS = words()
ENGINE = ibis.duckdb.connect(threads=1)


def columns_of(table):
    """Columns of an Arrow table as numpy has them."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_pylist()
        if pa.types.is_floating(column.type):
            columns[name] = np.array([math.nan if v is None else v for v in values], float)
        elif pa.types.is_timestamp(column.type):
            columns[name] = np.array(values, "datetime64[us]")
        elif pa.types.is_string(column.type):
            columns[name] = np.array(values, object)
        else:
            kind = bool if pa.types.is_boolean(column.type) else np.int64
            nulls = [v is None for v in values]
            plain = np.array([0 if v is None else v for v in values], kind)
            columns[name] = np.ma.MaskedArray(plain, nulls) if any(nulls) else plain
    return columns


def bits_of(values):
    """A column as plain values of which two are alike only to the last bit; None for null."""
    if isinstance(values, pa.ChunkedArray):
        values = values.to_pylist()
    elif values.dtype.kind == "M":
        values = values.astype(datetime).tolist()
    else:
        values = values.tolist()
    return [None if v is None or v != v else v.hex() if isinstance(v, float) else v for v in values]


class Query:
    """Expressions as the engine answers them: compiled once, asked of any rows."""

    def __init__(self, unbound, build):
        types = {name: t.copy(nullable=True) for name, t in unbound.schema().items()}
        self.schema = ibis.schema(types)
        self.name = ibis.util.gen_name("asked")
        table = ENGINE.create_table(self.name, schema=self.schema, temp=True)
        answers = build(table)
        self.sql, self.types = str(ENGINE.compile(answers)), answers.schema().to_pyarrow()

    def __call__(self, rows):
        """The rows as columns of numpy, and the engine's answer; None where it refuses."""
        given = pa.Table.from_pylist(rows, self.schema.to_pyarrow())
        ENGINE.con.register("rows_given", given)
        ENGINE.con.execute(f"DELETE FROM {self.name}")  # noqa: S608 - our own name
        ENGINE.con.execute(f"INSERT INTO {self.name} SELECT * FROM rows_given")  # noqa: S608
        try:
            answer = ENGINE.con.sql(self.sql).to_arrow_table().cast(self.types)
        except duckdb.ConversionException:
            answer = None
        return columns_of(given), answer


def assert_agree(evaluate, query, rows):
    columns, expected = query(rows)
    if expected is None:
        with pytest.raises(OverflowError):
            evaluate(columns)
    else:
        assert_equal(evaluate(columns), expected)


def assert_equal(found, expected):
    assert list(found) == expected.column_names
    for name, values in found.items():
        assert bits_of(values) == bits_of(expected[name]), name


# The catalogue, on what the engine itself computes of random worlds.


@pytest.fixture(scope="module", params=SEEDS)
def world(request, open_tables, random_tables):
    """The catalogue of a random world, and what stage 1 holds of it at the cut-off."""
    source = open_tables(random_tables(request.param, AS_OF, groups=12))
    known = build_catalogue(find_vocabulary(source, AS_OF))
    with open_snapshot(source, known, AS_OF) as held:
        yield known, held


def test_terms_of_a_world_are_the_engine_s_to_the_bit(world):
    known, held = world
    expected = member_terms(held.members, known).to_pyarrow()
    found = term_evaluator(known)(columns_of(held.members.to_pyarrow()))
    assert expected.num_rows > 3
    terms = [f"term_{name}" for name in found]
    assert_equal(found, expected.select(terms).rename_columns(list(found)))


def test_features_of_a_world_are_the_engine_s_to_the_bit(world):
    known, held = world
    reduced = aggregate_terms(member_terms(held.members, known), known)
    given = reduced.join(held.facts, "group_id").order_by("group_id").to_pyarrow()
    expected = (
        features_from_aggregates(reduced, held.facts, known).order_by("group_id").to_pyarrow()
    )
    assert expected.num_rows > 3
    assert_equal(feature_evaluator(known)(columns_of(given)), expected.drop_columns(GROUP_KEY))


def test_membership_signals_of_a_world_are_the_engine_s_to_the_bit(world):
    known, held = world
    declared = [signal for signal in known.signals if signal.input_rows is InputRows.MEMBERSHIP]
    expected = held.people.select(
        **{s.name: s.value(held.people, cutoff_literal(AS_OF)) for s in declared}
    ).to_pyarrow()
    given = columns_of(held.people.to_pyarrow())
    assert expected.num_rows > 3
    found = signal_evaluator(known, InputRows.MEMBERSHIP)({**given, "as_of": np.datetime64(AS_OF)})
    assert_equal(found, expected)


def test_activity_signals_of_a_world_are_the_engine_s_to_the_bit(open_tables, random_tables):
    source = open_tables(random_tables(SEEDS[0], AS_OF))
    rows = with_age_days(
        source.activities.filter(lambda t: t.counts_from < cutoff_literal(AS_OF)),
        cutoff_literal(AS_OF),
    )
    declared = [signal for signal in WORDS.signals if signal.input_rows is InputRows.ACTIVITIES]
    both = rows.select(
        *COLUMNS_READ[InputRows.ACTIVITIES],
        **{f"is_{s.name}": s.value(rows, cutoff_literal(AS_OF)) for s in declared},
    ).to_pyarrow()
    assert both.num_rows > 50
    found = signal_evaluator(WORDS, InputRows.ACTIVITIES)(
        {**columns_of(both), "as_of": np.datetime64(AS_OF)}
    )
    expected = both.select([f"is_{name}" for name in found]).rename_columns(list(found))
    assert_equal(found, expected)


def with_contents(tables, seed):
    """A random world whose activities show contents and take time, of people in departments."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    names = [f"about {job}" for job in BUYING_JOBS]
    tables["contents"] = [
        {"content_id": name, "buying_job": job, "gated": draw.random() < 0.5}
        for name, job in zip(names, BUYING_JOBS, strict=True)
    ]
    for row in tables["activities"]:
        row["content_id"] = draw.choice([None, *names])
        row["duration_seconds"] = draw.choice([None, 0.1, 59.0, 3601.7])
    for row in tables["contacts"]:
        row["department"] = draw.choice([None, "it", "人事"])
    return tables


def read_of(source, kind, people):
    """Rows of a kind at the cut-off, as the engine reads them, and whose place among `people`."""
    if kind is InputRows.MEMBERSHIP:
        rows = people
    else:
        scanned = {
            InputRows.ACTIVITIES: source.activities,
            InputRows.CONTENTS: source.contents_seen,
        }
        rows = _READERS[kind](scanned, cutoff_literal(AS_OF)).to_pyarrow()
    places = {number: i for i, number in enumerate(people["member_no"].to_pylist())}
    known = [number in places for number in rows["member_no"].to_pylist()]
    rows = rows.filter(pa.array(known, pa.bool_()))
    member = np.array([places[n] for n in rows["member_no"].to_pylist()], np.intp)
    return {**columns_of(rows), "as_of": np.datetime64(AS_OF)}, member


@pytest.mark.parametrize("seed", SEEDS)
def test_reduced_signals_of_a_world_are_the_engine_s_to_the_bit(open_tables, random_tables, seed):
    source = open_tables(with_contents(random_tables(seed, AS_OF, groups=12), seed))
    known = build_catalogue(find_vocabulary(source, AS_OF))
    keys = ["group_id", "contact_id"]
    with open_snapshot(source, known, AS_OF) as held:
        people = held.people.order_by(keys).to_pyarrow()
        expected = held.members.order_by(keys).to_pyarrow()
        found = {}
        for kind in InputRows:
            rows, member = read_of(source, kind, people)
            assert member.size, kind
            found |= aggregate_signals(known, kind, rows, member, people.num_rows)
    assert people.select(keys) == expected.select(keys)
    assert_equal(
        {name: found[name] for name in expected.column_names[3:]},
        expected.drop(["group_id", "contact_id", "role"]),
    )


# Of each reduction one that fills in for nothing and one that does not; rows with nulls as well.
REDUCTIONS = tuple(
    Signal(
        f"{reduce}_{empty}",
        (lambda rows, _as_of: rows.content_no)
        if reduce is Aggregation.BITS
        else (lambda rows, _as_of: to_fixed_point(rows.points)),
        reduce,
        empty,
    )
    for reduce in Aggregation
    for empty in (None, 0.0, 3.0)
)


@given(
    cells=st.lists(
        st.tuples(st.integers(0, 3), st.none() | st.integers(-90, 90), st.integers(0, 2**40)),
        max_size=12,
    )
)
@QUICK
def test_each_reduction_leaves_nulls_out_and_fills_in_for_members_without_rows(cells):
    known = replace(WORDS, signals=REDUCTIONS)
    member = np.array([place for place, _points, _content in cells], np.intp)
    rows = {
        "points": np.array([np.nan if p is None else p for _place, p, _content in cells], float),
        "content_no": np.array([content for _place, _points, content in cells], np.int64),
    }
    found = aggregate_signals(known, InputRows.ACTIVITIES, rows, member, 5)
    plain = {Aggregation.SUM: sum, Aggregation.MIN: min, Aggregation.MAX: max}
    for signal in REDUCTIONS:
        expected = []
        for place in range(5):
            mine = [(points, content) for who, points, content in cells if who == place]
            if signal.aggregation is Aggregation.BITS:
                values = [content for _points, content in mine]
                bits = 0
                for value in values:
                    bits |= value
                expected.append(bits if values else signal.default)
            else:
                values = [points for points, _content in mine if points is not None]
                expected.append(plain[signal.aggregation](values) if values else signal.default)
        values = found[signal.name].tolist()
        assert [None if v is None or v != v else v for v in values] == expected


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ([0, 2], r"members in 0\.\.1, got 0\.\.2"),
        ([-1, 0], r"members in 0\.\.1, got -1\.\.0"),
        ([0], "one member for each row"),
    ],
)
def test_rows_of_members_who_are_not_there_are_refused(member, message):
    known = replace(WORDS, signals=REDUCTIONS)
    rows = {"points": np.ones(2), "content_no": np.ones(2, np.int64)}
    with pytest.raises(ValueError, match=message):
        aggregate_signals(known, InputRows.ACTIVITIES, rows, np.array(member, np.intp), 2)


# The catalogue, on rows that no world would hold.

rounded = st.integers(-(2**40), 2**40).map(lambda n: n * 2.0**-20)
usual = st.sampled_from([0.0, 1.0, 2.0, 0.5, 3.0, 89.0, 90.0])
huge = st.sampled_from([1e5, 2.0**31, 1e9, 1e12, 0.1, 1e-9, 0.9999999999999999, -0.0])
numbers = st.none() | usual | huge | st.floats(0, 1e5)
texts = st.none() | st.sampled_from([*ROLES, "it", "x", ""])
instants = st.datetimes(datetime(1990, 1, 1), datetime(2199, 12, 31))


def rows_of(table, special=None):
    """Rows of an unbound table: nulls wherever its types allow them."""
    kinds = {"float64": numbers, "string": texts, "timestamp(6)": st.none() | instants}
    special = special or {}
    cells = {
        name: special[name] if name in special else kinds[str(kind)]
        for name, kind in table.schema().items()
    }
    return st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=6)


weeks = st.integers(0, 2**13 - 1)
MEMBER_ROW = unbound_member_rows(WORDS.signals)
MEMBER_ROWS = rows_of(
    MEMBER_ROW,
    {
        "weeks_active": weeks,
        "weeks_touched": weeks,
        "job_weeks": st.integers(0, 2**60 - 1),
        # Their squares must fit, or the engine refuses every row; see the test of that.
        "engagement_21": numbers.filter(lambda n: n is None or n < 9e7),
    },
)


TOTALS = unbound_aggregates(WORDS.vocabulary, WORDS.terms)


@pytest.fixture(scope="module")
def asked_terms():
    return Query(
        MEMBER_ROW, lambda t: t.select(**{term.name: term.value(t) for term in WORDS.terms})
    )


@pytest.fixture(scope="module")
def asked_features():
    return Query(TOTALS, lambda t: t.select(**{f.name: f.value(t) for f in WORDS.features}))


@pytest.mark.slow
@given(rows=MEMBER_ROWS)
@QUICK
def test_terms_of_any_member_rows_are_the_engine_s_to_the_bit(asked_terms, rows):
    assert_agree(term_evaluator(WORDS), asked_terms, rows)


@pytest.mark.slow
@given(rows=rows_of(TOTALS))
@QUICK
def test_features_of_any_totals_and_facts_are_the_engine_s_to_the_bit(asked_features, rows):
    assert_agree(feature_evaluator(WORDS), asked_features, rows)


def activity_rows(kind):
    present = {
        "boolean": st.booleans(), "int64": st.integers(0, 5), "timestamp(6)": instants,
    }  # fmt: skip
    table = ibis.table({**COLUMNS_READ[kind], "as_of": "!timestamp(6)"})
    special = {
        name: present[str(t.copy(nullable=True))]
        for name, t in table.schema().items()
        if not t.nullable
    }
    special["as_of"] = st.just(datetime(2200, 1, 1))
    if kind is InputRows.MEMBERSHIP:
        special["memberships"] = st.none() | st.integers(1, 9)
    return table, rows_of(table, special)


@pytest.mark.parametrize("kind", list(InputRows))
def test_signals_of_any_rows_are_the_engine_s_to_the_bit(kind):
    unbound, rows = activity_rows(kind)

    declared = [signal for signal in WORDS.signals if signal.input_rows is kind]

    def build(table):
        seen = with_age_days(table, table.as_of) if kind is InputRows.ACTIVITIES else table
        return seen.select(**{signal.name: signal.value(seen, seen.as_of) for signal in declared})

    asked = Query(unbound, build)

    @given(rows=rows)
    @QUICK
    def check(rows):
        assert_agree(signal_evaluator(WORDS, kind), asked, rows)

    check()


# One operation at a time.

ANY = ibis.table(
    {
        "x": "float64", "y": "float64", "n": "int64", "m": "int64", "p": "boolean",
        "q": "boolean", "s": "string", "at": "timestamp(6)",
    }
)  # fmt: skip
wild = st.none() | usual | huge | st.floats(-1e9, 1e9) | st.sampled_from([0.5, 1.5, 2.5, -0.5])
CELLS = st.fixed_dictionaries(
    {
        "x": wild, "y": wild,
        "n": st.none() | st.integers(0, 2**20), "m": st.none() | st.integers(0, 20),
        "p": st.none() | st.booleans(), "q": st.none() | st.booleans(),
        "s": texts, "at": st.none() | instants,
    }
)  # fmt: skip
OPERATIONS = {
    "add": lambda t: t.x + t.y,
    "subtract": lambda t: t.x - t.y,
    "multiply": lambda t: t.x * t.y,
    "divide": lambda t: t.x / t.y,
    "divide whole": lambda t: t.n / (t.m + 1),
    "whole and number": lambda t: t.n * t.x,
    "add whole": lambda t: t.n + t.m,
    "multiply whole": lambda t: t.n * 3 - t.m,
    "floor divide": lambda t: t.n // 7,
    "square root": lambda t: ibis.greatest(0.0, t.x).sqrt(),
    "logarithm": lambda t: t.x.ln(),
    "power": lambda t: ibis.literal(0.5) ** (ibis.greatest(0.0, ibis.least(t.x, 900.0)) / 21),
    "power of null": lambda t: t.x ** ibis.literal(0.0),
    "round": lambda t: t.x.round(),
    "floor": lambda t: t.x.floor(),
    "exact": lambda t: to_fixed_point(t.x),
    "cast number to whole": lambda t: t.x.cast("int64"),
    "cast whole to number": lambda t: t.n.cast("float64"),
    "cast condition to number": lambda t: t.p.cast("float64"),
    "cast condition to whole": lambda t: t.p.cast("int64"),
    "cast condition twice": lambda t: t.p.cast("int8").cast("float64"),
    "null if": lambda t: t.x.nullif(t.y),
    "null if zero": lambda t: t.x.nullif(0.0),
    "fill null": lambda t: t.x.fill_null(t.y),
    "fill null of whole": lambda t: t.n.fill_null(t.m),
    "fill null of condition": lambda t: t.p.fill_null(t.q),
    "not filled": lambda t: ~(t.p.fill_null(True)),
    "coalesce": lambda t: ibis.coalesce(t.x, t.y, 3.0),
    "greatest": lambda t: ibis.greatest(t.x, t.y, 0.0),
    "least": lambda t: ibis.least(t.x, t.y),
    "greatest of constant": lambda t: ibis.greatest(0.0, t.x),
    "least of whole": lambda t: ibis.least(t.n, t.m, 9),
    "greatest of whole": lambda t: ibis.greatest(t.n, t.m),
    "if else": lambda t: t.p.ifelse(t.x, t.y),
    "if else of whole": lambda t: (t.x > 1).ifelse(t.n, t.m),
    "cases": lambda t: t.s.cases(("it", t.x), ("user", 2.5), else_=t.y),
    "whole cases": lambda t: t.s.cases(("it", t.n), ("x", ibis.literal(2, "int64")), else_=t.m),
    "and": lambda t: t.p & t.q,
    "or": lambda t: t.p | t.q,
    "not": lambda t: ~t.p,
    "not and": lambda t: ~(t.p & (t.x > t.y)),
    "not or": lambda t: ~(t.p | t.s.isnull()),
    "whole number of a condition": lambda t: indicator(t.p & (t.x >= 1)),
    "where not": lambda t: indicator(~t.p),
    "where not and": lambda t: indicator(~(t.p & (t.x > t.y))),
    "where not or": lambda t: indicator(~(t.p | t.q)),
    "where whole numbers compare": lambda t: indicator(t.n >= t.m) + indicator(t.m < 3),
    "where texts are not equal": lambda t: indicator(~(t.s == "it")),
    "where an instant is in a window": lambda t: indicator(
        t.at >= days_before(cutoff_literal(AS_OF), 30)
    ),
    "equal": lambda t: t.x == t.y,
    "greater": lambda t: t.x > t.y,
    "greater or equal": lambda t: t.n >= t.m,
    "less": lambda t: t.n < 3,
    "less or equal": lambda t: t.x <= t.n,
    "between": lambda t: t.x.between(0, t.y),
    "equal texts": lambda t: t.s == "it",
    "equal to a text without rows": lambda t: ~(t.s == "nobody"),
    "null": lambda t: t.x.isnull(),
    "null text": lambda t: t.s.isnull() | t.at.isnull(),
    "not null": lambda t: t.n.notnull() & t.p.notnull(),
    "bit and": lambda t: t.n & t.m,
    "bit or": lambda t: t.n | t.m,
    "bit of": lambda t: (t.n & ibis.literal(4, "int64")) > 0,
    "shift": lambda t: t.n << t.m,
    "instant": lambda t: t.at,
    "text": lambda t: t.s,
    "window": lambda t: t.at >= days_before(cutoff_literal(AS_OF), 30),
    "days before": lambda t: t.at - ibis.interval(days=30),
    "days between": lambda t: days_between(t.at, cutoff_literal(AS_OF)),
    "missing": lambda _t: ibis.null("float64"),
    "constant": lambda _t: ibis.literal(2.5) * 2,
}


EDGES = (None, 0.0, -0.0, 0.5, -0.5, 1.5, 2.5, 1.0, 3.0, 0.49999999999999994, 1e-9, 1e9, -7.0)


def edge_rows():
    """Every pair of edges, with the other columns in their turn."""
    pairs = list(product(EDGES, EDGES))
    answers = list(product((None, True, False), repeat=2))
    return [
        {
            "x": x, "y": y,
            "n": (None, 0, 1, 6, 7, 2**20, 4)[i % 7], "m": (None, 0, 1, 20, 5)[i % 5],
            "p": answers[i % 9][0], "q": answers[i % 9][1],
            "s": (None, "it", "x", "", "user")[i % 5],
            "at": (None, datetime(1969, 12, 31, 23, 59, 59, 999999), AS_OF)[i % 3],
        }
        for i, (x, y) in enumerate(pairs)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def asked_operations():
    return Query(ANY, lambda t: t.select(**{name: of(t) for name, of in OPERATIONS.items()}))


@pytest.fixture(scope="module")
def edges(asked_operations):
    return asked_operations(edge_rows())


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_answers_as_the_engine_does(edges, name):
    columns, expected = edges
    found = compile_expressions({name: OPERATIONS[name](ANY)}, ANY)(columns)
    assert bits_of(found[name]) == bits_of(expected[name])


@given(rows=st.lists(CELLS, min_size=1, max_size=12))
@QUICK
def test_all_operations_together_answer_as_the_engine_does(asked_operations, rows):
    evaluate = compile_expressions({name: build(ANY) for name, build in OPERATIONS.items()}, ANY)
    assert_agree(evaluate, asked_operations, rows)


@pytest.mark.parametrize("name", ["logarithm", "power", "square root"])
def test_a_hundred_thousand_values_are_the_engine_s_to_the_bit(name):
    values = np.exp(np.random.default_rng(3).uniform(-5, 15, 100_000))
    given_rows = pa.table({"place": np.arange(len(values)), "x": values})
    table = ENGINE.create_table("many_values", given_rows, temp=True, overwrite=True)
    expected = table.order_by("place").select(found=OPERATIONS[name](table)).to_pyarrow()
    evaluate = compile_expressions({"found": OPERATIONS[name](table)}, table)
    np.testing.assert_array_equal(evaluate({"x": values})["found"], expected["found"].to_numpy())


def operations_of(values):
    found = set()
    for value in values:
        found |= {type(part) for part in value.op().find(ops.Value, filter=ops.Value)}
    return found


def test_every_operation_of_the_catalogue_is_tested_alone():
    declared = [term.value(MEMBER_ROW) for term in WORDS.terms]
    declared += [feature.value(TOTALS) for feature in WORDS.features]
    for kind in InputRows:
        table = ibis.table({**COLUMNS_READ[kind], "as_of": "timestamp(6)", "age_days": "int64"})
        found = [signal for signal in WORDS.signals if signal.input_rows is kind]
        declared += [signal.value(table, table.as_of) for signal in found]
    alone = operations_of([build(ANY) for build in OPERATIONS.values()])
    named = {kind for kind in operations_of(declared) if not issubclass(kind, ops.ScalarUDF)}
    assert not named - alone


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda t: t.x.sin(), "Sin"),
        (lambda t: t.x.isnan(), "IsNan"),
        (lambda t: (t.x.exp() + 1.0) * 2.0, "Exp"),
        (lambda t: indicator(t.n.cast("string") == "1"), "Cast"),
        (lambda t: t.x.round(2), "Round"),
        (lambda t: t.s < "it", "Less"),
        (lambda t: t.s == t.s.upper(), "Uppercase"),
        (lambda t: t.p.ifelse(t.p, t.q), "IfElse"),
        (lambda t: t.x.sum(), "Sum"),
        (lambda t: t.x.lag(), "Lag"),
        (lambda t: t.n.isin([1, 2]), "InValues"),
    ],
)
def test_an_operation_without_a_rule_is_refused_by_its_name(build, name):
    with pytest.raises(TypeError, match=name):
        compile_expressions({"found": build(ANY)}, ANY)


def test_a_column_of_another_table_is_refused():
    other = ibis.table({"x": "float64", "z": "float64"}, name="other")
    with pytest.raises(TypeError, match="one table, got 'z' of another"):
        compile_expressions({"found": other.z}, ANY)


# What is given and what comes back.


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="expected a column 'y', got \\['x'\\]"):
        compile_expressions({"found": ANY.x + ANY.y}, ANY)({"x": np.ones(2)})


def test_columns_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match="one length, got lengths \\[2, 3\\]"):
        compile_expressions({"found": ANY.x + ANY.y}, ANY)({"x": np.ones(2), "y": np.ones(3)})


def test_nulls_in_a_column_that_has_none_are_refused():
    table = ibis.table({"n": "!int64"})
    with pytest.raises(ValueError, match=r"'n'.*without nulls"):
        compile_expressions({"found": table.n + 1}, table)(
            {"n": np.ma.MaskedArray([1, 2], [True, False])}
        )


def test_a_number_too_great_for_the_engine_is_refused_here_too():
    with pytest.raises(OverflowError, match="64 bits"):
        compile_expressions({"found": to_fixed_point(ANY.x)}, ANY)({"x": np.array([1.0, 1e14])})


@pytest.mark.parametrize(
    ("bits", "places"), [(1, 63), (1, 64), (2**40, 30), (-1, 0), (1, -1)], ids=str
)
def test_bits_that_leave_their_places_are_refused(bits, places):
    shift = compile_expressions({"found": ANY.n << ANY.m}, ANY)
    assert shift({"n": np.array([1, 0]), "m": np.array([62, 99])})["found"].tolist() == [2**62, 0]
    with pytest.raises(OverflowError, match="stay within 63"):
        shift({"n": np.array([1, bits]), "m": np.array([1, places])})


@pytest.mark.parametrize(
    "column",
    [
        np.array([0.5, 2.5], np.float32),
        np.array([0.5, 2.5], ">f8"),
        np.array([1.0, 0.5, 1.0, 2.5])[1::2],
        np.ma.MaskedArray([0.5, 2.5]),
        pickle.loads(pickle.dumps(np.array([0.5, 2.5]))),  # noqa: S301 - our own
    ],
    ids=["float32", "big endian", "strided", "masked", "unpickled"],
)
def test_numbers_are_read_from_any_array_of_numbers(column):
    found = compile_expressions({"found": ANY.x + 1.0}, ANY)({"x": column})
    assert found["found"].tolist() == [1.5, 3.5]


def test_shared_parts_are_evaluated_once():
    root = ibis.greatest(ANY.x, 0.0).sqrt()
    one = compile_expressions({"a": root}, ANY)
    three = compile_expressions({"a": root, "b": root, "c": ibis.greatest(ANY.x, 0.0).sqrt()}, ANY)
    assert three.step_count == one.step_count


def test_constants_are_folded():
    evaluate = compile_expressions(
        {"found": (ibis.literal(3.0) + 4.0).sqrt().ln() + ANY.x * 0.0}, ANY
    )
    assert evaluate.step_count == 2


def test_only_columns_that_are_read_are_wanted():
    assert compile_expressions({"a": ANY.x + 1.0, "b": ANY.s.isnull()}, ANY).input_columns == (
        "x",
        "s",
    )


def test_a_scalar_column_stands_for_every_row():
    found = compile_expressions({"found": ANY.x + ANY.y}, ANY)(
        {"x": np.arange(3.0), "y": np.float64(2)}
    )
    assert found["found"].tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize("rows", [0, 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 7])
def test_any_number_of_rows_gives_the_same_as_row_by_row(rows):
    draw = np.random.default_rng(11)
    number = np.where(draw.random(rows) < 0.2, np.nan, draw.integers(0, 9, rows))
    whole_number = np.ma.MaskedArray(np.arange(rows), np.arange(rows) > BLOCK_ROWS)
    text = np.array([("a", None, "b")[i % 3] for i in range(rows)], object)
    evaluate = compile_expressions(
        {"n": ANY.n + 1, "x": (ANY.s == "a").ifelse(ANY.x, -1.0), "s": ANY.s, "c": ANY.x * 0 + 1},
        ANY,
    )
    found = evaluate({"n": whole_number, "x": number, "s": text})
    assert found["n"].tolist() == [i + 1 if i <= BLOCK_ROWS else None for i in range(rows)]
    expected = [v if i % 3 == 0 else -1.0 for i, v in enumerate(number.tolist())]
    np.testing.assert_array_equal(found["x"], expected)
    assert found["s"].tolist() == text.tolist()


def test_what_is_compiled_of_a_catalogue_is_kept():
    assert term_evaluator(WORDS) is term_evaluator(WORDS)
    assert feature_evaluator(WORDS) is feature_evaluator(WORDS)
    few = build_catalogue(WORDS.vocabulary, ["members"])
    assert term_evaluator(few) is not term_evaluator(WORDS)
    assert isinstance(signal_evaluator(WORDS, InputRows.DAYS), Evaluator)
