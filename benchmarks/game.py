"""The stakeholder game at scale: cost of a group, memory, and groups of 400 members."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import ibis
import ibis.expr.types as ir
import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from mqbg.explain.group_members import group_members_at
from mqbg.explain.shapley.stakeholders import group_stakeholders
from mqbg.explain.shapley.valuation import with_compiled_trees
from mqbg.features import prepare_source
from mqbg.features.tables.feature_table import Snapshot, open_snapshot
from mqbg.model.bundle import Bundle
from mqbg.settings import Settings
from mqbg.source import open_source

from .believed import QUICK, trained_on
from .timing import mqbg

GROUPS, SMALL = 100_000, (3, 8)
LARGE, MEMBERS = 20, 400
TREES, LEAVES, ROWS = 300, 31, 40_000
SEED = 7
CLEAR_PEAK = Path("/proc/self/clear_refs")


def run(_data: Path) -> None:
    """Prints CPU time and peak memory of the game for many small and for a few large groups."""
    with tempfile.TemporaryDirectory() as scratch:
        mqbg(Path(scratch), "simulate", "world", "--groups", "5000")
        settings = Settings(model=replace(QUICK, threads=1))
        with open_source(Path(scratch) / "world", threads=1) as source:
            prepared = prepare_source(source, settings)
            trained = trained_on(prepared)
            as_of = trained.evaluation.rows["as_of"].max().to_pydatetime()
            with open_snapshot(prepared, trained.bundle.catalogue, as_of) as at:
                bundle = _large_trees(trained.bundle, at.features())
                _measure(_many(at), bundle, 2.0)
                _measure(_large(at), bundle, 1000.0)


def _large_trees(bundle: Bundle, features: pa.Table) -> Bundle:
    """The bundle with as many and as large trees as promised, fitted to what it says itself."""
    known = bundle.feature_matrix(features)
    draw = np.random.default_rng(SEED)
    one, other = (known[draw.integers(0, len(known), ROWS)] for _ in range(2))
    x = np.where(draw.random(one.shape) < 0.2, other, one)
    y = draw.random(ROWS) < 1 / (1 + np.exp(-bundle.log_odds_of_matrix(x)))
    params = {
        "objective": "binary", "num_leaves": LEAVES, "learning_rate": 0.03, "seed": SEED,
        "num_threads": 1, "verbose": -1, "feature_fraction": 0.7,
    }  # fmt: skip
    names, categories = bundle.catalogue.feature_names, bundle.catalogue.categorical_features
    data = lgb.Dataset(x, y, categorical_feature=[names.index(name) for name in categories])
    booster = lgb.train(params, data, TREES)
    return with_compiled_trees(replace(bundle, trees=booster.model_to_string()))


def _many(at: Snapshot) -> Snapshot:
    """100,000 groups of 3 to 8 members: those that there are, again and again under new ids."""
    known = [g.group_id for g in group_members_at(at) if SMALL[0] <= len(g.roles) <= SMALL[1]]
    copies = pa.table(
        {
            "group_id": [known[number % len(known)] for number in range(GROUPS)],
            "new_id": [f"{number // len(known):03}-{number}" for number in range(GROUPS)],
        }
    )
    return _renamed(at, copies)


def _large(at: Snapshot) -> Snapshot:
    """Groups of 400 members, each with members of many groups, as different as they come."""
    ids = [g.group_id for g in group_members_at(at)]
    rows = at.members.filter(at.members.contact_id.notnull()).to_pyarrow()
    draw = np.random.default_rng(SEED)
    parts = []
    for group_id in ids[:LARGE]:
        some = rows.take(draw.permutation(rows.num_rows)[:MEMBERS])
        place = some.column_names.index("group_id")
        named = some.set_column(place, "group_id", pa.array([group_id] * MEMBERS))
        place = some.column_names.index("contact_id")
        contacts = pa.array([f"c{number}" for number in range(MEMBERS)])
        parts.append(named.set_column(place, "contact_id", contacts))
    base = at.members.filter(at.members.contact_id.isnull()).to_pyarrow()
    members = ibis.memtable(pa.concat_tables([base.filter(_isin(base, ids[:LARGE])), *parts]))
    groups, facts = (one.filter(one.group_id.isin(ids[:LARGE])) for one in (at.groups, at.facts))
    return _with_tables(at, groups, members, facts)


def _isin(table: pa.Table, ids: list[str]) -> pa.ChunkedArray:
    return pc.is_in(table["group_id"], value_set=pa.array(ids))


def _renamed(at: Snapshot, copies: pa.Table) -> Snapshot:
    """The moment's rows of each group, once for each of its new ids."""
    ids = ibis.memtable(copies)

    def renamed(table: ir.Table) -> ir.Table:
        return table.join(ids, "group_id").drop("group_id").rename(group_id="new_id").cache()

    return _with_tables(at, *(renamed(one) for one in (at.groups, at.members, at.facts)))


def _with_tables(at: Snapshot, groups: ir.Table, members: ir.Table, facts: ir.Table) -> Snapshot:
    """The moment with other tables in place of what the engine holds."""
    return replace(at, groups=groups, _local_tables={"members": members, "facts": facts})


def _measure(at: Snapshot, bundle: Bundle, most_ms: float) -> None:
    if CLEAR_PEAK.exists():
        CLEAR_PEAK.write_text("5")  # the peak so far is forgotten
    start, groups, people, gap, error = time.process_time(), 0, 0, 0.0, 0.0
    for one in group_stakeholders(at, bundle, lambda _label, _share: None):
        groups, people = groups + 1, people + len(one.points)
        total = one.outcome.base + math.fsum(one.outcome.contribution)
        gap = max(gap, abs(total - one.outcome.everyone))
        error = max(error, float(one.outcome.standard_error.max(initial=0.0)))
    each_ms = 1000 * (time.process_time() - start) / groups
    print(
        f"{groups:,} groups of {people / groups:.1f} members: {each_ms:.2f} CPU ms a group "
        f"(at most {most_ms:g}), peak {_peak_gb():.2f} GB; largest standard error {error:.3f}, "
        f"largest gap of the sum {gap:.1e}"
    )


def _peak_gb() -> float:
    """Peak memory of this process since it was last forgotten."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1e6
    return math.nan
