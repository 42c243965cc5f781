"""However the work is cut, the features are the same to the last bit."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import combinations

import ibis
import numpy as np
import pyarrow as pa
import pytest
from mqbg.features import feature_table, group_features
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.engines.numpy import evaluator
from mqbg.features.tables import feature_table as table
from mqbg.features.tables import term_rows
from mqbg.features.tables.feature_table import open_snapshot
from mqbg.features.tables.group_features import GROUP_KEY
from mqbg.features.tables.query_plan import QueryPlan

AS_OF = datetime(2024, 6, 1)
CUTOFFS = (AS_OF, AS_OF + timedelta(days=7))
SEED = 5


def keyed(table, bits):
    return {(row["group_id"], row["as_of"]): bits(row) for row in table.to_pylist()}


def many_rows(rows=300_000, contacts=300, groups=80):
    """Enough activities that two threads each get some, with points that are no whole numbers."""
    draw = np.random.default_rng(SEED)
    start = np.datetime64(AS_OF - timedelta(days=120), "us")
    ids = np.array([f"c{number}" for number in range(contacts)])
    kinds = np.array(["web_visit", "meeting", "email_sent", "fax"])
    group_ids = np.array([f"g{number}" for number in range(groups)])
    seconds = draw.integers(0, 120 * 86_400, rows).astype("timedelta64[s]")
    logged = draw.random(rows) < 0.1
    activities = pa.table(
        {
            "activity_id": np.arange(rows).astype(str),
            "contact_id": pa.array(draw.choice(ids, rows), mask=logged),
            "kind": draw.choice(kinds, rows),
            "occurred_at": start + seconds,
            "recorded_at": pa.nulls(rows, pa.timestamp("us")),
            "group_id": pa.array(draw.choice(group_ids, rows), mask=~logged),
            **{name: pa.nulls(rows, pa.string()) for name in ("solution_id", "content_id")},
            "channel": pa.nulls(rows, pa.string()),
            "duration_seconds": pa.nulls(rows, pa.float64()),
        }
    )
    long_ago = datetime(2023, 1, 1)
    roles = ("buyer", "user", "sponsor")
    return {
        "accounts": [{"account_id": "a1", "name": "A"}],
        "contacts": [{"contact_id": c, "account_id": "a1"} for c in ids],
        "solutions": [{"solution_id": "s1", "name": "S"}],
        "buying_groups": [
            {"group_id": g, "account_id": "a1", "solution_id": "s1", "created_at": long_ago}
            for g in group_ids
        ],
        "members": [
            {"group_id": g, "contact_id": c, "role": draw.choice(roles), "joined_at": long_ago}
            for g in group_ids
            for c in draw.choice(ids, 12, replace=False)
        ],
        "activities": activities,
    }


def shuffled(tables, seed):
    """Every table with its rows in another order."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    mixed = {}
    for name, rows in tables.items():
        order = list(range(len(rows)))
        draw.shuffle(order)
        mixed[name] = rows.take(order) if isinstance(rows, pa.Table) else [rows[i] for i in order]
    return mixed


@pytest.fixture(scope="module")
def batch(open_tables, random_tables, bits):
    """An awkward world, its catalogue, and its features to the bit at three cut-offs together."""
    tables = random_tables(SEED, AS_OF)
    source = open_tables(tables)
    words = build_catalogue(find_vocabulary(source, AS_OF))
    return tables, source, words, keyed(feature_table(source, words, CUTOFFS), bits)


def test_every_cutoff_alone_agrees_with_several_together(batch, bits):
    _tables, source, words, expected = batch
    alone = [keyed(feature_table(source, words, [as_of]), bits) for as_of in CUTOFFS]
    assert {key: row for rows in alone for key, row in rows.items()} == expected


def test_rows_come_sorted_by_group_in_the_catalogue_s_columns(batch):
    _tables, source, words, expected = batch
    table = feature_table(source, words, [AS_OF])
    assert table.column_names == ["group_id", "as_of", *words.feature_names]
    ids = table["group_id"].to_pylist()
    assert ids == sorted(group_id for group_id, as_of in expected if as_of == AS_OF)


def test_a_single_group_agrees_with_the_batch(batch, bits):
    _tables, source, words, expected = batch
    for group_id in sorted({group_id for group_id, as_of in expected if as_of == AS_OF})[-2:]:
        got = keyed(feature_table(source, words, [AS_OF], only=[group_id]), bits)
        assert got == {(group_id, AS_OF): expected[group_id, AS_OF]}


@pytest.mark.parametrize(("rows_together", "block_rows"), [(1024, 4096), (0, 4096), (1024, 2)])
def test_the_features_that_numpy_makes_of_a_moment_agree_with_the_table(
    batch, bits, monkeypatch, rows_together, block_rows
):
    _tables, source, words, expected = batch
    of_engine = feature_table(source, words, [AS_OF])
    monkeypatch.setattr(term_rows, "MAX_ROWS_TOGETHER", rows_together)
    monkeypatch.setattr(evaluator, "BLOCK_ROWS", block_rows)
    monkeypatch.setattr(QueryPlan, "features", None)  # the engine is not asked
    with open_snapshot(source, words, AS_OF) as at:
        features = at.features()
    assert features.schema == of_engine.drop_columns("as_of").schema
    assert features["group_id"].to_pylist() == of_engine["group_id"].to_pylist()
    assert {
        (row["group_id"], AS_OF): bits({**row, "as_of": AS_OF}) for row in features.to_pylist()
    } == {key: row for key, row in expected.items() if key[1] == AS_OF}
    assert features.num_rows > 2


@pytest.mark.parametrize("before_games", [False, True])
def test_very_many_groups_have_the_features_of_the_table(batch, bits, monkeypatch, before_games):
    _tables, source, words, expected = batch
    monkeypatch.setattr(table, "GROUPS_PER_BATCH", 2)
    with open_snapshot(source, words, AS_OF) as at:
        features = at.features(before_games=before_games)
    rows = {(row["group_id"], AS_OF): bits({**row, "as_of": AS_OF}) for row in features.to_pylist()}
    assert rows == {key: row for key, row in expected.items() if key[1] == AS_OF}
    assert features.num_rows > 2


def test_a_moment_keeps_its_cutoff_when_another_was_open_inside(batch):
    _tables, source, words, expected = batch
    group_id = max(group_id for group_id, as_of in expected if as_of == AS_OF)
    other = next(as_of for as_of in CUTOFFS if as_of != AS_OF)
    with open_snapshot(source, words, AS_OF, only=[group_id]) as outer:
        before = outer.features()
        with open_snapshot(source, words, other):
            pass
        assert outer.features().equals(before)


@pytest.mark.slow
def test_groups_computed_in_portions_agree(batch, bits, monkeypatch):
    _tables, source, words, expected = batch
    monkeypatch.setattr(table, "MAX_CELLS_PER_BATCH", 2)
    assert keyed(feature_table(source, words, CUTOFFS), bits) == expected


def test_permuted_rows_of_every_table_agree(batch, open_tables, bits):
    tables, _source, words, expected = batch
    source = open_tables(shuffled(tables, SEED), threads=2)
    assert build_catalogue(find_vocabulary(source, AS_OF)).feature_names == words.feature_names
    assert keyed(feature_table(source, words, CUTOFFS), bits) == expected


@pytest.mark.slow
def test_one_thread_and_two_agree_on_many_permuted_rows(open_tables, bits):
    tables = many_rows()
    results = []
    for threads, rows in ((1, tables), (2, tables), (2, shuffled(tables, SEED))):
        source = open_tables(rows, threads=threads)
        words = build_catalogue(find_vocabulary(source, AS_OF))
        results.append(keyed(feature_table(source, words, [AS_OF]), bits))
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 80


# ------------------------------------------------------------------ the stakeholder game


def subsets(contacts):
    return [frozenset(s) for size in range(len(contacts) + 1) for s in combinations(contacts, size)]


def played(source, words, bits):
    """Stage 2 with `coalition` as a key: features by group and set of members."""
    with open_snapshot(source, words, AS_OF) as at:
        rows = at.members.to_pyarrow().to_pylist()
        schema = at.members.schema().to_pyarrow()
        sets = {
            group_id: subsets(
                sorted(
                    r["contact_id"] for r in rows if r["group_id"] == group_id and r["contact_id"]
                )
            )
            for group_id in {row["group_id"] for row in rows}
        }
        repeated = [
            {**row, "coalition": number}
            for row in rows
            for number, members in enumerate(sets[row["group_id"]])
            if row["contact_id"] is None or row["contact_id"] in members
        ]
        table = pa.Table.from_pylist(repeated, schema.append(pa.field("coalition", pa.int64())))
        game = group_features(
            ibis.memtable(table), at.facts, words, (*GROUP_KEY, "coalition")
        ).to_pyarrow()
    return {
        (row["group_id"], sets[row["group_id"]][row.pop("coalition")]): bits(
            {name: row[name] for name in words.feature_names}
        )
        for row in game.to_pylist()
    }


# They look at other groups, which change from copy to copy too; the game leaves those alone.
OF_OTHER_GROUPS = (
    "shared_members", "shared_members_share", "industry_conversion_rate",
    "account",  # a copy of it has a name of its own
)  # fmt: skip


def edited_copies(tables, deleted):
    """The world once for every entry of `deleted`, with those members' rows deleted in it.

    Accounts, contacts and groups of a copy are its own, so no copy sees another one; one run
    gives what as many runs on edited tables would.
    """
    copies = {name: [] for name in tables}
    own = {"account_id", "contact_id", "group_id", "activity_id"}
    for number, gone in enumerate(deleted):
        for name, rows in tables.items():
            copies[name] += [
                {k: f"{v}/{number}" if k in own and v else v for k, v in row.items()}
                for row in rows
                if name != "members" or (row["group_id"], row["contact_id"]) not in gone
            ]
    copies["solutions"] = tables["solutions"]
    return copies


@pytest.mark.slow
@pytest.mark.parametrize("seed", [10, 231])
def test_every_coalition_equals_features_recomputed_without_the_others(
    open_tables, random_tables, bits, seed
):
    tables = random_tables(seed, AS_OF)
    source = open_tables(tables)
    words = build_catalogue(find_vocabulary(source, AS_OF))
    game = played(source, words, bits)
    sets = {group_id: [] for group_id, _members in game}
    for group_id, members in game:
        sets[group_id].append(members)
    # Copy number n holds coalition n of every group, or again the first of a smaller group.
    most = max(len(found) for found in sets.values())
    chosen = [{g: found[n % len(found)] for g, found in sets.items()} for n in range(most)]
    everyone = {group_id: frozenset().union(*found) for group_id, found in sets.items()}
    deleted = [{(g, c) for g in sets for c in everyone[g] - coalition[g]} for coalition in chosen]
    copies = open_tables(edited_copies(tables, deleted))
    own = [
        name
        for name in words.feature_names
        if name not in OF_OTHER_GROUPS and not name.startswith("contact_history_")
    ]
    game = {key: {name: row[name] for name in own} for key, row in game.items()}
    recomputed = {
        (name, chosen[int(number)][name]): bits({n: row[n] for n in own})
        for row in feature_table(copies, words, [AS_OF]).to_pylist()
        for name, _, number in [row["group_id"].partition("/")]
    }
    assert recomputed == game


def test_the_game_of_groups_of_no_to_five_members_has_every_coalition(open_tables, bits):
    tables = {
        "buying_groups": [{"group_id": f"g{size}"} for size in range(6)],
        "members": [
            {"group_id": f"g{size}", "contact_id": f"c{member}"}
            for size in range(6)
            for member in range(size)
        ],
    }
    source = open_tables(tables)
    game = played(source, build_catalogue(find_vocabulary(source, AS_OF)), bits)
    sizes = [group_id for group_id, _members in game]
    assert [sizes.count(f"g{size}") for size in range(6)] == [1, 2, 4, 8, 16, 32]
