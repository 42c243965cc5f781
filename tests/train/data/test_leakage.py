from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st
from mqbg.contract import TABLES
from mqbg.features.time_rules.activities_known_before import deduplicate, with_known_at
from mqbg.settings import (
    ModelSettings,
    ObservationSettings,
    ProbeSettings,
    Settings,
    SnapshotSettings,
    TargetSettings,
)
from mqbg.simulate import simulate
from mqbg.train.data.leak_counts import share_interval
from mqbg.train.data.leak_findings import REMEDIES, Finding
from mqbg.train.data.leakage import ACTIVITY_COLUMNS, reference_times
from mqbg.train.data.outcome_probes import (
    MAX_BY_CHANCE,
    expected_by_chance,
    kinds_before_cutoff,
    near_perfect_methods,
    placeholder_accounts,
    predictive_features,
    predictive_kinds,
    too_few_conversions,
)
from mqbg.train.data.recording_probes import (
    backfilled_kinds,
    filled_late,
    late_filled_columns,
    members_at_outcome,
    slowly_recorded_kinds,
)
from mqbg.train.report.console import findings_table
from mqbg.train.training import probe_leaks
from rich.console import Console
from scipy.stats import binomtest

AS_OF = datetime(2024, 6, 1)
CONVERSION = datetime(2024, 7, 1, 9)
DAY = timedelta(days=1)
PROBE = ProbeSettings()
CONVERTED = tuple(f"won{number:02}" for number in range(40))
OTHERS = tuple(f"open{number:02}" for number in range(60))
TARGET = TargetSettings(horizon_days=90)


def quiet(_label, _share):
    pass


def labelled(groups=(*CONVERTED, *OTHERS), account=lambda group_id: "a-" + group_id):
    """One snapshot of each group; those named `won` converted."""
    return pd.DataFrame(
        {
            "group_id": groups,
            "account_id": [account(group_id) for group_id in groups],
            "as_of": pd.Series([AS_OF] * len(groups), dtype="datetime64[us]"),
            "converted": [group_id.startswith("won") for group_id in groups],
        }
    )


def world(open_tables, activities=(), **tables):
    """Each group has an account and a member `m-<group>` of its own; `won` ones convert."""
    everyone = (*CONVERTED, *OTHERS)
    rows = {
        "buying_groups": [{"group_id": g, "account_id": "a-" + g} for g in everyone],
        "members": [{"group_id": g, "contact_id": "m-" + g} for g in everyone],
        "stage_events": [
            {"group_id": g, "stage": "opportunity", "occurred_at": CONVERSION} for g in CONVERTED
        ],
        "activities": list(activities),
        **tables,
    }
    return open_tables(rows).tables


def counted(tables):
    return deduplicate(with_known_at(tables["activities"])).select(*ACTIVITY_COLUMNS)


def acts(groups, kind, at, recorded=None, **more):
    return [
        {"contact_id": "m-" + g, "kind": kind, "occurred_at": at, "recorded_at": recorded, **more}
        for g in groups
    ]


def things(findings):
    return [finding.thing for finding in findings]


# Bounds


@given(total=st.integers(1, 5000), share=st.floats(0, 1))
@checks(max_examples=200, deadline=None, derandomize=True)
def test_bounds_are_those_of_wilson(total, share):
    hits = round(share * total)
    known = binomtest(hits, total).proportion_ci(method="wilson")
    assert share_interval(hits, total) == pytest.approx((known.low, known.high), abs=1e-9)


@pytest.mark.parametrize(("hits", "total"), [(0, 0), (2, 1), (-1, 3)])
def test_a_share_that_is_none_is_refused(hits, total):
    with pytest.raises(ValueError, match="need 0 <= hits <= total"):
        share_interval(hits, total)


# References


def test_the_past_of_a_group_is_looked_at_from_its_conversion_or_its_last_cutoff(open_tables):
    later = AS_OF + 30 * DAY
    keys = pd.concat([labelled(("won00", "open00")), labelled(("open00",)).assign(as_of=later)])
    found = reference_times(world(open_tables)["stage_events"], TARGET, keys)
    assert dict(zip(found.group_id, found["at"], strict=True)) == {
        "won00": pd.Timestamp(CONVERSION),
        "open00": pd.Timestamp(later),
    }


def test_a_conversion_before_the_cutoff_is_not_the_one_that_was_predicted(open_tables):
    early = {"group_id": "won00", "stage": "opportunity", "occurred_at": AS_OF - DAY}
    late = {**early, "occurred_at": CONVERSION}
    tables = world(open_tables, stage_events=[early, late])
    found = reference_times(tables["stage_events"], TARGET, labelled(("won00",)))
    assert found["at"].tolist() == [pd.Timestamp(CONVERSION)]


# Single features


def pairwise_auc(values, converted):
    """Chance that a converted row is above another, by every pair; ties count half."""
    wins = [
        (ours > other) + (ours == other) / 2
        for ours, hit in zip(values, converted, strict=True)
        for other, other_hit in zip(values, converted, strict=True)
        if hit and not other_hit
    ]
    return sum(wins) / len(wins)


@given(
    values=st.lists(st.none() | st.integers(-3, 3), min_size=4, max_size=25),
    data=st.data(),
)
@checks(max_examples=100, deadline=None, derandomize=True)
def test_a_number_is_judged_by_every_pair_with_missing_at_the_end_that_tells_more(values, data):
    size = len(values)
    hits = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    hits[:2] = [True, False]
    keys = labelled(tuple(f"g{n}" for n in range(size))).assign(converted=hits)
    aucs = [
        pairwise_auc([fill if v is None else v for v in values], hits)
        for fill in ((-9, 9) if None in values else (0,))
    ]
    expected = max(max(auc, 1 - auc) for auc in aucs)
    table = pa.table({"x": pa.array(values, pa.float64())})
    low = replace(PROBE, feature_auc=0.5001, min_conversions=1)  # few pairs: no figure is between
    figures = [finding.figure for finding in predictive_features(table, keys, low)]
    assert figures == ([pytest.approx(expected, abs=1e-12)] if expected > 0.5001 else [])


def features_of(keys, **columns):
    return pa.table({"group_id": keys["group_id"], "as_of": keys["as_of"], **columns})


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_feature_that_ranks_the_outcomes_in_either_direction_is_found(sign):
    keys = labelled()
    noise = np.random.default_rng(3).random(len(keys))
    table = features_of(keys, told=sign * keys["converted"].to_numpy(float), noise=noise)
    (finding,) = predictive_features(table, keys, PROBE)
    assert (finding.probe, finding.thing, finding.figure) == ("single feature", "told", 1.0)


def test_a_column_that_is_filled_only_where_groups_converted_is_found_as_a_feature():
    keys = labelled()
    values = [5.0 if hit else None for hit in keys["converted"]]
    assert things(predictive_features(features_of(keys, x=values), keys, PROBE)) == ["x"]


def test_a_category_that_tells_the_outcome_is_found():
    keys = labelled()
    words = ["closing" if hit else None for hit in keys["converted"]]
    assert things(predictive_features(features_of(keys, x=words), keys, PROBE)) == ["x"]


def test_a_category_that_names_the_account_tells_nothing_of_others():
    keys = labelled()
    assert predictive_features(features_of(keys, x=keys["account_id"].tolist()), keys, PROBE) == []


def few_and(others, hits=5, **columns):
    """Features of few converted groups beside others."""
    keys = labelled((*CONVERTED[:hits], *OTHERS[:others]))
    return features_of(keys, **{n: make(keys["converted"]) for n, make in columns.items()}), keys


def test_of_few_conversions_only_a_nearly_perfect_feature_is_named():
    def tells_much(converted):
        ranks = np.arange(len(converted), dtype=float)  # converted rows come first ...
        ranks[0] = 40.5  # ... but for one that most others pass
        return ranks

    table, keys = few_and(60, told=lambda hit: hit.to_numpy(float), much=tells_much)
    (finding,) = predictive_features(table, keys, PROBE)
    assert (finding.thing, finding.figure) == ("told", 1.0)
    assert "chance" not in finding.sentence


def test_where_chance_ranks_as_well_the_finding_says_so():
    noise = np.random.default_rng(5)
    columns = {f"x{n}": lambda hit: noise.random(len(hit)) for n in range(200)}
    table, keys = few_and(60, hits=1, **columns)
    found = predictive_features(table, keys, PROBE)
    assert 1 <= len(found) <= MAX_BY_CHANCE
    assert all("with 1 converted group chance lets about" in f.sentence for f in found)


@pytest.mark.parametrize(("groups", "miss"), [(1, 0.02), (2, 0.03), (3, 0.1)])
def test_what_chance_ranks_is_counted_as_a_simulation_counts_it(groups, miss):
    draws = np.random.default_rng(groups).random((200_000, groups)).mean(axis=1)
    simulated = np.mean((draws >= 1 - miss) | (draws <= miss))
    assert expected_by_chance(groups, miss, 100) == pytest.approx(100 * simulated, rel=0.15)


def test_too_few_conversions_to_tell_are_said_with_their_number():
    few = labelled((*CONVERTED[: PROBE.min_conversions - 1], *OTHERS))
    (finding,) = too_few_conversions(few, PROBE)
    assert finding.shown == f"{PROBE.min_conversions - 1} of {PROBE.min_conversions} needed"
    assert (
        too_few_conversions(labelled((*CONVERTED[: PROBE.min_conversions], *OTHERS)), PROBE) == []
    )


def test_methods_that_rank_nearly_perfectly_are_named_once_each():
    figures = pd.DataFrame(
        [
            ("naive Bayes", "roc_auc", 0.99),
            ("base rate", "roc_auc", 0.5),
            ("base rate", "recall", 0.99),
            ("mqbg", "roc_auc", float("nan")),
        ],
        columns=["method", "figure", "value"],
    )
    (finding,) = near_perfect_methods(figures)
    assert (finding.thing, finding.figure) == ("naive Bayes", 0.99)


# Kinds before the outcome


def kinds_found(tables, keys=None, settings=PROBE):
    return things(predictive_kinds(counted(tables), tables, labelled() if keys is None else keys,
                                settings))  # fmt: skip


def test_a_kind_that_only_later_converters_have_is_found(open_tables):
    tables = world(open_tables, acts(CONVERTED, "signature", AS_OF - DAY))
    (finding,) = predictive_kinds(counted(tables), tables, labelled(), PROBE)
    assert (finding.thing, finding.figure) == ("signature", 1.0)
    assert "40 training snapshots" in finding.sentence
    assert "of all 40%" in finding.sentence


@pytest.mark.parametrize(
    "rows",
    [
        acts(CONVERTED, "signature", CONVERSION + DAY),
        acts(CONVERTED, "signature", AS_OF),
        acts(CONVERTED, "signature", AS_OF - DAY, AS_OF + DAY),
        acts(CONVERTED[:5], "signature", AS_OF - DAY),
        acts((*CONVERTED, *OTHERS), "signature", AS_OF - DAY),
        acts(CONVERTED, "signature", AS_OF - DAY, solution_id="another"),
        [row for g in CONVERTED for row in acts([g], "signature", AS_OF - DAY, group_id="open00")],
    ],
    ids=[
        "after the outcome", "at the cut-off", "recorded after the cut-off", "too few groups",
        "in all groups", "for another solution", "for another group",
    ],
)  # fmt: skip
def test_a_kind_that_tells_nothing_before_the_cutoff_is_not_found(open_tables, rows):
    assert kinds_found(world(open_tables, rows)) == []


@pytest.mark.parametrize(
    "dates", [{"joined_at": AS_OF}, {"joined_at": AS_OF - 9 * DAY, "left_at": AS_OF - DAY}]
)
def test_a_kind_of_people_who_are_no_members_at_the_cutoff_does_not_count(open_tables, dates):
    members = [{"group_id": g, "contact_id": "m-" + g, **dates} for g in CONVERTED]
    rows = acts(CONVERTED, "signature", AS_OF - 3 * DAY)
    assert kinds_found(world(open_tables, rows, members=members)) == []


@pytest.mark.slow
def test_many_snapshots_of_few_groups_are_no_evidence(open_tables):
    tables = world(open_tables, acts(CONVERTED[:4], "signature", AS_OF - 99 * DAY))
    weeks = [labelled().assign(as_of=AS_OF - 7 * number * DAY) for number in range(12)]
    assert kinds_found(tables, pd.concat(weeks, ignore_index=True)) == []


def counts_for(tables, group, as_of):
    """Kinds of one group at a cut-off, by the rules of time in plain Python."""
    people = {
        m["contact_id"]
        for m in tables["members"]
        if m["group_id"] == group["group_id"]
        and m["joined_at"] < as_of
        and (m["left_at"] is None or m["left_at"] >= as_of)
    }
    kinds = set()
    for row in tables["activities"]:
        known = row["recorded_at"] or row["occurred_at"]
        if max(known, row["occurred_at"]) >= as_of:
            continue
        if row["group_id"] is not None:
            fits = row["group_id"] == group["group_id"] and (
                row["contact_id"] is None or row["contact_id"] in people
            )
        else:
            fits = row["contact_id"] in people and row["solution_id"] in (
                None,
                group["solution_id"],
            )
        if fits:
            kinds.add(row["kind"])
    return kinds


@pytest.mark.parametrize("seed", range(6))
def test_kinds_known_before_a_cutoff_are_those_of_the_rules_of_time(
    seed, open_tables, random_tables
):
    rows = random_tables(seed, AS_OF)
    source = open_tables(rows).tables
    plain = {name: source[name].to_pyarrow().to_pylist() for name in ("members", "buying_groups")}
    plain["activities"] = counted(source).mutate(recorded_at="known_at").to_pyarrow().to_pylist()
    keys = labelled(tuple(group["group_id"] for group in plain["buying_groups"]))
    keys["converted"] = [number % 2 == 0 for number in range(len(keys))]
    seen = {group["group_id"]: counts_for(plain, group, AS_OF) for group in plain["buying_groups"]}
    expected = {}
    for kind in set().union(*seen.values()):
        hits = [keys["converted"][n] for n, g in enumerate(keys["group_id"]) if kind in seen[g]]
        expected[kind] = (len(hits), sum(hits), len(hits))
    found = kinds_before_cutoff(counted(source), source, keys)
    assert {r["kind"]: (r["snapshots"], r["converted"], r["groups"]) for r in found} == expected


# Back-filled kinds


def backfilled(tables):
    groups = reference_times(tables["stage_events"], TARGET, labelled())
    return backfilled_kinds(counted(tables), tables, groups, TARGET, PROBE)


def test_a_kind_entered_after_the_conversion_as_if_before_it_is_found(open_tables):
    rows = [
        *acts(CONVERTED, "call_notes", CONVERSION - 5 * DAY, CONVERSION + DAY),
        *acts(OTHERS, "call_notes", AS_OF - 5 * DAY),
    ]
    (finding,) = backfilled(world(open_tables, rows))
    assert (finding.thing, finding.figure) == ("call_notes", 1.0)


def test_a_kind_that_only_converters_have_may_be_back_filled_too(open_tables):
    rows = acts(CONVERTED, "call_notes", CONVERSION - 5 * DAY, CONVERSION)
    assert things(backfilled(world(open_tables, rows))) == ["call_notes"]


@pytest.mark.parametrize(
    "rows",
    [
        [
            *acts(CONVERTED, "mail", CONVERSION - 2 * DAY, CONVERSION + DAY),
            *acts(OTHERS, "mail", AS_OF - 2 * DAY, AS_OF + DAY),
        ],
        acts(CONVERTED, "mail", CONVERSION - 2 * DAY, CONVERSION - DAY),
        acts(CONVERTED, "mail", CONVERSION + 2 * DAY, CONVERSION + 3 * DAY),
        acts(CONVERTED, "mail", CONVERSION - 91 * DAY, CONVERSION + DAY),
        acts(CONVERTED[:19], "mail", CONVERSION - 2 * DAY, CONVERSION + DAY),
    ],
    ids=["late for all alike", "in time", "after it", "beyond the horizon", "too few groups"],
)
def test_a_kind_that_is_late_without_regard_to_the_outcome_is_not_back_filled(open_tables, rows):
    assert backfilled(world(open_tables, rows)) == []


# Slow records


@pytest.mark.parametrize(
    ("late", "days", "found"),
    [(12, 8, ["fax"]), (12, 6, []), (5, 300, []), (100, 7, [])],
    ids=["slow", "a little late", "few late", "exactly the setting"],
)
def test_a_kind_is_slow_if_a_tenth_of_it_is_recorded_days_late(open_tables, late, days, found):
    rows = [
        {"contact_id": "m-won00", "kind": "fax", "occurred_at": AS_OF,
         "recorded_at": AS_OF + days * DAY if number < late else None}
        for number in range(100)
    ]  # fmt: skip
    findings = slowly_recorded_kinds(counted(world(open_tables, rows)), PROBE)
    assert things(findings) == found
    for finding in findings:
        assert finding.figure == days
        assert "12% of the fax activities" in finding.sentence


# Columns


def filled(tables, keys=None):
    groups = reference_times(tables["stage_events"], TARGET, labelled() if keys is None else keys)
    return late_filled_columns(tables, groups, PROBE)


def companies(value_of):
    return [
        {"account_id": "a-" + g, "name": g, "industry": value_of(g)} for g in (*CONVERTED, *OTHERS)
    ]


@pytest.mark.parametrize("empty", [None, ""])
def test_a_column_filled_for_accounts_of_converted_groups_alone_is_found(open_tables, empty):
    accounts = companies(lambda g: "steel" if g in CONVERTED else empty)
    (finding,) = filled(world(open_tables, accounts=accounts))
    assert (finding.thing, finding.figure) == ("accounts.industry", 1.0)
    assert finding.shown == "100% against 0%"


def test_a_column_filled_for_members_of_converted_groups_alone_is_found(open_tables):
    contacts = [{"contact_id": "m-" + g, "title": "Head"} for g in CONVERTED]
    assert things(filled(world(open_tables, contacts=contacts))) == ["contacts.title"]


def test_a_column_filled_without_regard_to_the_outcome_is_not_found(open_tables):
    accounts = companies(lambda g: "steel" if int(g[-2:]) % 2 else None)
    assert filled(world(open_tables, accounts=accounts)) == []


def test_without_both_outcomes_no_column_is_judged(open_tables):
    accounts = companies(lambda _group_id: "steel")
    assert filled(world(open_tables, accounts=accounts), labelled(CONVERTED)) == []


@pytest.mark.parametrize("hits", [3, 6, 12])
def test_an_attribute_of_few_converted_accounts_alone_is_found(open_tables, hits):
    accounts = companies(lambda g: "steel" if g in CONVERTED else None)
    keys = labelled((*CONVERTED[:hits], *OTHERS))
    (finding,) = filled(world(open_tables, accounts=accounts), keys)
    assert finding.shown == "100% against 0%"
    assert f"({hits} accounts)" in finding.sentence


def test_people_of_one_account_are_one_piece_of_evidence(open_tables):
    """Thirty people of one converted account do not make its column late for all."""
    groups = labelled((CONVERTED[0], *OTHERS))
    people = [{"group_id": CONVERTED[0], "contact_id": f"c{n}"} for n in range(30)]
    contacts = [{"contact_id": f"c{n}", "title": "Head"} for n in range(30)]
    others = [{"group_id": g, "contact_id": "m-" + g} for g in OTHERS]
    tables = world(open_tables, members=[*people, *others], contacts=contacts)
    assert filled(tables, groups) == []


@pytest.mark.parametrize("hits", [2, 5, 12, 19])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_columns_filled_by_chance_are_rarely_found_in_a_data_set(hits, rate):
    """Of all columns together once in a hundred data sets, by the exact test; 600 are drawn."""
    draw, columns, sets = np.random.default_rng(hits), 10, 600
    converted = np.arange(80) < hits
    alarms = sum(
        any(
            filled_late((draw.random(80) < rate).astype(float), converted, PROBE, columns)
            for _ in range(columns)
        )
        for _ in range(sets)
    )
    assert binomtest(alarms, sets, 0.01, alternative="greater").pvalue > 0.001


# Members


def members_found(open_tables, joined):
    members = [
        {"group_id": g, "contact_id": f"m{n}-{g}", "joined_at": at}
        for g in CONVERTED
        for n, at in enumerate(joined)
    ]
    tables = world(open_tables, members=members)
    groups = reference_times(tables["stage_events"], TARGET, labelled())
    return [f.shown for f in members_at_outcome(tables["members"], groups, PROBE)]


@pytest.mark.parametrize(
    ("joined", "shown"),
    [
        ([CONVERSION, CONVERSION + 3 * timedelta(hours=1)],
         ["100% joined that day", "100% empty before"]),
        ([AS_OF, CONVERSION - timedelta(hours=9)], ["50% joined that day"]),
        ([CONVERSION + 9 * DAY], ["100% empty before"]),
        ([AS_OF, CONVERSION + 9 * DAY], []),
        ([AS_OF - DAY, CONVERSION - DAY], []),
    ],
    ids=["with it", "half on that day", "long after", "one later", "before"],
)  # fmt: skip
def test_members_entered_with_the_conversion_are_found(open_tables, joined, shown):
    assert members_found(open_tables, joined) == shown


def test_without_a_member_of_a_converted_group_there_is_nothing_to_say(open_tables):
    assert members_found(open_tables, []) == []


# Placeholders


def accounts_found(size, hits, others=200, other_hits=60, settings=PROBE):
    groups = [
        *(f"{'won' if n < hits else 'open'}-p{n}" for n in range(size)),
        *(f"{'won' if n < other_hits else 'open'}-o{n}" for n in range(others)),
    ]
    keys = labelled(tuple(groups), lambda g: "unknown" if "-p" in g else "a-" + g)
    return things(placeholder_accounts(keys, settings))


@pytest.mark.parametrize(
    ("size", "hits", "found"),
    [
        (60, 0, ["unknown"]),
        (60, 60, ["unknown"]),
        (200, 2, ["unknown"]),
        (60, 5, []),
        (60, 30, []),
        (40, 0, []),
    ],
    ids=["none", "all", "one per cent", "some", "half", "less than a fifth of the groups"],
)
def test_a_large_account_of_one_outcome_is_found(size, hits, found):
    assert accounts_found(size, hits) == found


def test_an_account_is_large_by_its_groups_or_by_its_share():
    small = replace(PROBE, placeholder_groups=40)
    assert accounts_found(40, 0, settings=small) == ["unknown"]


def test_an_account_of_one_outcome_by_chance_is_not_found():
    assert accounts_found(10, 0, others=30, other_hits=9) == []  # 0.7 ** 10 is 3 %
    assert accounts_found(60, 0, others=200, other_hits=2) == []  # 0.99 ** 60 is 55 %


def test_one_account_alone_has_no_other_to_compare_with():
    assert accounts_found(300, 0, others=0, other_hits=0) == []


# A whole world


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    out = tmp_path_factory.mktemp("probes") / "world"
    simulate(out, groups=400, seed=5)
    return {name: pq.read_table(out / f"{name}.parquet") for name in TABLES}


SETTINGS = Settings(
    target=TargetSettings(horizon_days=150),
    observation=ObservationSettings(datetime(2025, 11, 1)),
    snapshots=SnapshotSettings(start=datetime(2024, 10, 1)),
    model=ModelSettings(threads=1),
)


@pytest.mark.slow
def test_the_simulated_world_does_not_leak(simulated, open_tables):
    """Its portal logins come only after conversions, so no earlier cut-off knows of them."""
    assert probe_leaks(open_tables(simulated, SETTINGS), quiet) == ()


@pytest.mark.slow
def test_portal_logins_dated_before_the_conversion_are_found(simulated, open_tables):
    activities = simulated["activities"]
    portal = pc.equal(activities["kind"], "contract_portal_login")
    back = pc.subtract(activities["occurred_at"], pa.scalar(timedelta(days=90)))
    moved = pc.if_else(portal, back, activities["occurred_at"])
    place = activities.schema.get_field_index("occurred_at")
    activities = activities.set_column(place, "occurred_at", moved)
    nothing = pa.nulls(len(activities), activities.schema.field("recorded_at").type)
    place = activities.schema.get_field_index("recorded_at")
    activities = activities.set_column(place, "recorded_at", nothing)
    found = probe_leaks(open_tables({**simulated, "activities": activities}, SETTINGS), quiet)
    assert ("kind before outcome", "contract_portal_login") in [(f.probe, f.thing) for f in found]


@pytest.mark.slow
def test_every_sentence_names_the_thing_the_figure_and_what_to_do(simulated, open_tables):
    accounts = simulated["accounts"]
    groups = simulated["buying_groups"].to_pandas()
    won = simulated["stage_events"].to_pandas().query("stage == 'opportunity'").group_id
    owners = set(groups[groups.group_id.isin(won)].account_id)
    tiers = [
        tier if account_id in owners else None
        for account_id, tier in zip(
            accounts["account_id"].to_pylist(), accounts["tier"].to_pylist(), strict=True
        )
    ]
    place = accounts.schema.get_field_index("tier")
    leaky = {**simulated, "accounts": accounts.set_column(place, "tier", pa.array(tiers))}
    found = probe_leaks(open_tables(leaky, SETTINGS), quiet)
    assert "accounts.tier" in things(found)
    for finding in found:
        assert finding.thing in finding.sentence
        assert finding.sentence.endswith(REMEDIES[finding.probe])
        assert finding.sentence.count("%") or "AUC" in finding.sentence


def test_the_table_shows_names_as_they_are_and_what_to_do_in_eighty_columns():
    finding = Finding("kind before outcome", "[bold]x[/bold]", 0.9, "90% convert", "a sentence")
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(findings_table([finding]))
    text = console.export_text()
    assert "[bold]x[/bold]" in text
    assert max(map(len, text.splitlines())) <= 80
    told = set(text.split())
    assert set(REMEDIES["kind before outcome"].split()) <= told
