"""The feature benchmark compares like with like: every contestant keeps the same rules of time."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from mqbg.contract import TABLES, schema
from mqbg.source import open_source

AS_OF = datetime(2024, 6, 1)
CUTOFFS = (AS_OF - timedelta(days=30), AS_OF)
Bench = Callable[[str], ModuleType]
RIVALS = ("tuned_sql", "vectorised_pandas")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """`bench(name)`: a module of benchmarks/, which is no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1]))
        yield lambda name: importlib.import_module(f"benchmarks.{name}")


def _write(folder: Path, rows: dict[str, list[dict[str, object]]]) -> Path:
    folder.mkdir()
    for name in TABLES:
        types = schema(name).to_pyarrow()
        plain = [{key: row.get(key) for key in types.names} for row in rows.get(name, ())]
        pq.write_table(pa.Table.from_pylist(plain, types), folder / f"{name}.parquet")
    return folder


def _made_by(bench: Bench, rival: str, data: Path, cutoffs: tuple[datetime, ...]) -> pa.Table:
    more = (data / "spill",) if rival == "tuned_sql" else ()
    return bench(f"rivals.{rival}").features(data, cutoffs, 1, *more)


def _ours(bench: Bench, data: Path, cutoffs: tuple[datetime, ...]) -> pa.Table:
    return bench("ours").features(data, cutoffs, 1, bench("rivals").DOZEN)


@pytest.fixture(scope="module")
def tiny(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three copies of a world of 30 groups."""
    data = bench("feature_data")
    size = data.Size("tiny", 3)
    return data.prepare(tmp_path_factory.mktemp("scratch"), size, world_groups=30)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_rivals_agree_with_ours_on_late_repeated_and_scoped_activities(
    bench, random_tables, tmp_path, seed
):
    data = _write(tmp_path / "world", random_tables(seed, AS_OF))
    ours = _ours(bench, data, CUTOFFS)
    assert ours.num_rows > 0
    for rival in RIVALS:
        theirs = _made_by(bench, rival, data, CUTOFFS)
        assert bench("agreement").disagreements(ours, theirs) == [], rival


def test_rivals_agree_with_ours_on_copies_of_a_simulated_world(bench, tiny):
    cutoffs = bench("feature_data").CUTOFFS
    ours = _ours(bench, tiny, cutoffs)
    assert pc.sum(ours["inbound_ever"]).as_py() > 1000
    for rival in RIVALS:
        theirs = _made_by(bench, rival, tiny, cutoffs)
        assert bench("agreement").disagreements(ours, theirs) == [], rival


@pytest.mark.parametrize(
    ("column", "factor", "named"),
    [
        ("inbound_7d", 2, ["inbound_7d"]),
        ("engagement_21", 1.001, ["engagement_21"]),
        ("engagement_21", 1 + 1e-9, []),  # ours rounds amounts to a millionth
    ],
)
def test_agreement_is_to_the_unit_for_counts_and_to_rounding_for_sums(
    bench, tiny, column, factor, named
):
    theirs = _made_by(bench, "tuned_sql", tiny, bench("feature_data").CUTOFFS)
    place = theirs.column_names.index(column)
    moved = theirs.set_column(place, column, pc.multiply(theirs[column].cast("float64"), factor))
    lines = bench("agreement").disagreements(theirs, moved)
    assert [line.split(":")[0] for line in lines] == named


def test_agreement_names_missing_rows(bench, tiny):
    theirs = _made_by(bench, "tuned_sql", tiny, bench("feature_data").CUTOFFS)
    (line,) = bench("agreement").disagreements(theirs, theirs.slice(1))
    assert line.startswith("rows:")


def test_rivals_refuse_cutoffs_that_are_no_midnights(bench, tiny):
    for rival in RIVALS:
        with pytest.raises(ValueError, match="midnight"):
            _made_by(bench, rival, tiny, (AS_OF + timedelta(hours=1),))


def test_copies_keep_the_contract_and_the_rows_of_one_activity_together(bench, tiny):
    with open_source(tiny) as source:
        activities = source.tables["activities"].to_pyarrow()
        members = source.tables["members"].to_pyarrow()
    world = pq.read_table(tiny.parent / "world-30" / "activities.parquet")
    assert (
        members.num_rows
        == 3 * pq.read_metadata(tiny.parent / "world-30" / "members.parquet").num_rows
    )
    share = bench("feature_data").Size("tiny", 3).share
    assert activities.num_rows == pytest.approx(3 * share * world.num_rows, rel=0.05)
    originals = pc.value_counts(world["activity_id"]).to_pylist()
    written = {row["values"]: row["counts"] for row in originals}
    for row in pc.value_counts(activities["activity_id"]).to_pylist():
        assert row["counts"] == written[row["values"].rsplit("-", 1)[0]]


def test_featuretools_that_is_not_installed_is_said_so(bench, tiny, tmp_path):
    part = tmp_path / "part.parquet"
    assert bench("feature_data").write_part(tiny, part, 10) > 0
    script = bench("rivals.featuretools_part").__file__
    command = [sys.executable, "-I", script, str(part), str(AS_OF)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer.get("missing", "featuretools") == "featuretools"


def test_the_report_says_the_ratio_to_tuned_sql_and_the_growth(bench):
    contestants, report = bench("contestants"), bench("feature_report")

    def case(rows: int, scale: float) -> object:
        runs = {name: contestants.Run(scale, scale, 10**9, 12) for name in contestants.CONTESTANTS}
        runs[contestants.OURS] = contestants.Run(1.2 * scale, scale, 10**9, 12)
        return report.Case(rows, runs)

    cases = [case(1_000, 1.0), case(10_000, 11.0)]
    lines = report.promises(cases, report.Part(4.4, 100, 7))
    assert "| dozen against tuned SQL | 1.20 x (CPU 1.00 x) | at most 1.3 x |" in lines
    assert "| featuretools against the dozen, per row | 33 x | 30 x |" in lines
    assert any("11.0 x, +10% of linear" in line for line in lines)
    assert len(report.table(cases, None)) == 2 + 2 * len(contestants.CONTESTANTS) + 1


def test_the_store_reads_a_made_night_as_it_was_and_stores_an_equal_one_once(bench, tmp_path):
    store, groups = bench("store"), 40
    scored = store.made(groups)
    assert {name: getattr(scored, name).num_rows for name in store.SCORE_SCHEMAS} == {
        "scores": groups, "stakeholders": 4 * groups, "actions": 6 * groups, "horizons": groups,
        "themes": 36 * groups, "summaries": groups,
    }  # fmt: skip
    url, size = f"sqlite:///{tmp_path / 'store.sqlite'}", []
    for night in range(2):
        as_of = store.AS_OF + night * store.DAY
        store.keep(url, store.at(scored, as_of), as_of)
        size.append((tmp_path / "store.sqlite").stat().st_size)
    assert size[0] == size[1]


def test_the_report_on_the_store_says_every_figure_that_is_promised(bench, capsys):
    bench("store").run(groups=40, seconds=0.05)
    lines = capsys.readouterr().out
    for figure in ("40 groups, 1,960 rows", "the file grew by 0 bytes, 0.000%", "being written"):
        assert figure in lines


def test_the_truth_of_a_horizon_is_the_chance_to_convert_in_one_of_its_weeks(bench):
    monday = pd.Timestamp("2024-01-01")
    weeks = [monday + pd.Timedelta(days=7 * n) for n in range(4)]
    hazards = pd.DataFrame(
        [("a", week, 0.5) for week in weeks] + [("b", weeks[0], 0.9), ("b", weeks[1], 0.2)],
        columns=["group_id", "week", "hazard"],
    )
    chance = bench("world").horizon_chance(hazards, weeks[1], 14)
    assert chance["a"] == pytest.approx(0.75)  # two of its four weeks
    assert chance["b"] == pytest.approx(0.2)  # the week before the cut-off counts no more
    half = bench("world").horizon_chance(hazards, weeks[2] + pd.Timedelta(days=3.5), 3)
    assert half["a"] == pytest.approx(1 - 0.5 ** (3 / 7))
    assert half["b"] == 0


class _Fixed:
    """A model of fixed chances and intervals."""

    def __init__(self, chances: list[float], low: list[float], high: list[float]) -> None:
        self.chances, self.ends = np.array(chances), (np.array(low), np.array(high))

    def feature_matrix(self, _features: object) -> object:
        return None

    def log_odds_of_matrix(self, _matrix: object) -> object:
        return None

    def readiness(self, _log_odds: object) -> object:
        return self.chances

    def readiness_interval(self, _matrix: object, _log_odds: object) -> object:
        return self.ends


def test_coverage_counts_the_chances_of_other_models_inside_an_interval(bench):
    models = [
        _Fixed([0.2, 0.5], [0.1, 0.5], [0.3, 0.6]),
        _Fixed([0.3, 0.7], [0.25, 0.4], [0.35, 0.8]),
        _Fixed([0.9, 0.55], [0.8, 0.5], [0.95, 0.6]),
    ]
    found = bench("intervals").coverage(models, pa.table({}))
    # The first holds 0.3 and 0.55 of four, the second 0.5 and 0.55, the third 0.5.
    assert found.by_world == pytest.approx((0.5, 0.5, 0.25))
    assert found.inside == pytest.approx(5 / 12)
    assert found.on_an_end == pytest.approx(1 / 6)
    assert found.width == pytest.approx(np.mean([0.2, 0.1, 0.1, 0.4, 0.15, 0.1]))
