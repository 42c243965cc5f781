import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.train.evaluate.bootstrap import rank_rows
from mqbg.train.evaluate.comparison import METRICS, compute_metrics, evaluate
from mqbg.train.evaluate.segments import (
    ALL_ROWS,
    SEGMENT_METRICS,
    evaluate_by_month,
    evaluate_by_segment,
    implied_auc,
)
from mqbg.train.evaluate.weak_segments import expected_false_alarms, find_weak_segments
from sklearn.metrics import roc_auc_score

SEED = 11
KEYWORDS = {"touched_per_snapshot": 20, "resamples": 30, "seed": SEED}


def scored(rows=1200, accounts=200, seed=SEED):
    draws = np.random.default_rng(seed)
    log_odds = draws.normal(-1.5, 1.2, rows)
    probability = 1 / (1 + np.exp(-log_odds))
    account = draws.integers(accounts, size=rows)
    frame = pd.DataFrame(
        {
            "group_id": [f"g{number}" for number in draws.integers(rows // 2, size=rows)],
            "account_id": [f"a{number}" for number in account],
            "as_of": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(30 * draws.integers(4, size=rows), unit="D"),
            "converted": draws.random(rows) < probability,
            "seen": account % 2 > 0,
            "tier": np.array(["A", "B", None], dtype=object)[draws.integers(3, size=rows)],
            "solution_id": np.array(["S1", "S2"], dtype=object)[account % 2],
            "industry": [f"i{number:02d}" for number in account % 17],
            "group_size": draws.integers(1, 20, size=rows),
        }
    )
    return frame, probability


def value(judged, segment, part, figure, column="value"):
    chosen = (judged["segment"] == segment) & (judged["part"] == part)
    (found,) = judged.loc[chosen & (judged["figure"] == figure), column]
    return found


def touched_by_hand(frame, probability, touched):
    """Whether sales touch each row, by plain sorting of each snapshot."""
    chosen = np.zeros(len(frame), dtype=bool)
    for moment in sorted(set(frame["as_of"])):
        inside = [i for i in range(len(frame)) if frame["as_of"].iloc[i] == moment]
        inside.sort(key=lambda i: (-probability[i], i))
        chosen[inside[:touched]] = True
    return chosen


def test_there_is_one_row_per_part_and_figure():
    frame, probability = scored()
    judged = evaluate_by_segment(frame, probability, **KEYWORDS)
    assert list(judged.columns) == [
        *("segment", "part", "figure", "value", "low", "high"),
        *("rows", "conversions", "accounts", "groups", "touched"),
    ]
    assert not judged.duplicated(["segment", "part", "figure"]).any()
    assert set(judged.groupby(["segment", "part"]).size()) == {len(SEGMENT_METRICS)}
    assert judged["segment"].unique().tolist() == [
        "(all)", "tier", "solution_id", "industry", "size",
    ]  # fmt: skip


def test_all_rows_are_judged_as_in_the_evaluation():
    frame, probability = scored()
    judged = evaluate_by_segment(frame, probability, columns=(), **KEYWORDS)
    table = evaluate(frame, {"mqbg": probability}, **KEYWORDS)
    table = table[table["population"] == "all accounts"].set_index("figure")
    ours = judged.set_index("figure").loc[list(METRICS)]
    for name in ("value", "low", "high"):
        assert ours[name].tolist() == pytest.approx(table[name].tolist()), name


def test_figures_of_a_part_that_need_no_capacity_are_those_of_its_rows_alone():
    frame, probability = scored()
    judged = evaluate_by_segment(frame, probability, **KEYWORDS)
    for segment, part, inside in (
        ("tier", "B", frame["tier"].eq("B")),
        ("tier", "(unknown)", frame["tier"].isna()),
        ("size", "4-7", frame["group_size"].between(4, 7)),
        ("size", "16+", frame["group_size"].ge(16)),
    ):
        rows = frame[inside]
        expected = compute_metrics(
            rows["converted"].to_numpy(),
            probability[inside],
            rows["as_of"].to_numpy(),
            touched_per_snapshot=1,
        )
        for figure in ("roc_auc", "average_precision", "log_loss", "brier", "ece"):
            assert value(judged, segment, part, figure) == pytest.approx(expected[figure])
        assert value(judged, segment, part, "observed") == pytest.approx(rows["converted"].mean())
        assert value(judged, segment, part, "predicted") == pytest.approx(
            probability[inside].mean()
        )
        assert value(judged, segment, part, "gap") == pytest.approx(
            probability[inside].mean() - rows["converted"].mean()
        )


def test_lift_and_recall_of_a_part_count_its_rows_among_those_touched_of_all():
    frame, probability = scored()
    judged = evaluate_by_segment(frame, probability, **KEYWORDS)
    touched = touched_by_hand(frame, probability, 20)
    converted = frame["converted"].to_numpy()
    for part in ("S1", "S2"):
        inside = frame["solution_id"].eq(part).to_numpy()
        found = (inside & touched & converted).sum()
        rate = found / (inside & touched).sum()
        assert value(judged, "solution_id", part, "lift_at_capacity") == pytest.approx(
            rate / converted[inside].mean()
        )
        assert value(judged, "solution_id", part, "recall_at_capacity") == pytest.approx(
            found / (inside & converted).sum()
        )
        assert value(judged, "solution_id", part, "gap", "touched") == (inside & touched).sum()


@pytest.mark.slow
def test_intervals_equal_a_plain_loop_over_repeated_accounts():
    frame, probability = scored(rows=300, accounts=30)
    judged = evaluate_by_segment(frame, probability, columns=("solution_id",), **KEYWORDS)
    names = list(dict.fromkeys(frame["account_id"]))
    draws, drawn = np.random.default_rng(SEED), []
    for _ in range(30):
        picked = draws.integers(len(names), size=len(names))
        times = {name: int((picked == number).sum()) for number, name in enumerate(names)}
        again = np.repeat(np.arange(len(frame)), [times[name] for name in frame["account_id"]])
        rows, chances = frame.iloc[again].reset_index(drop=True), probability[again]
        inside = rows["solution_id"].eq("S1").to_numpy()
        touched = touched_by_hand(rows, chances, 20) & inside
        converted = rows["converted"].to_numpy()
        drawn.append(
            {
                "lift_at_capacity": converted[touched].mean() / converted[inside].mean(),
                "gap": (chances[inside] - converted[inside]).mean(),
                "brier": ((chances[inside] - converted[inside]) ** 2).mean(),
            }
        )
    for figure in drawn[0]:
        expected = np.quantile([one[figure] for one in drawn], [0.025, 0.975])
        got = [value(judged, "solution_id", "S1", figure, end) for end in ("low", "high")]
        assert got == pytest.approx(expected.tolist()), figure


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_parts_of_a_segment_add_up_to_all_rows(seed, rows, touched):
    frame, probability = scored(rows=max(rows, 2), accounts=9, seed=seed)
    judged = evaluate_by_segment(
        frame, probability, touched_per_snapshot=touched, resamples=1, seed=seed,
    )  # fmt: skip
    sizes = judged.drop_duplicates(["segment", "part"]).groupby("segment")
    for name in ("rows", "conversions", "touched"):
        assert sizes[name].sum().nunique() == 1
    assert sizes["rows"].sum().iloc[0] == len(frame)
    assert sizes["touched"].sum().iloc[0] == touched_by_hand(frame, probability, touched).sum()


def test_the_ten_largest_values_have_a_part_and_the_rest_is_one():
    frame, probability = scored()
    judged = evaluate_by_segment(frame, probability, columns=("industry",), **KEYWORDS)
    parts = judged.loc[judged["segment"] == "industry", "part"].unique().tolist()
    largest = frame["industry"].value_counts()
    assert len(parts) == 11
    assert parts[-1] == "(others)"
    smallest_shown = min(largest[part] for part in parts[:-1])
    assert all(largest[name] <= smallest_shown for name in set(largest.index) - set(parts))
    assert value(judged, "industry", "(others)", "gap", "rows") == len(frame) - sum(
        largest[part] for part in parts[:-1]
    )


def test_sizes_are_in_order_and_groups_without_a_size_come_last():
    frame, probability = scored()
    frame["group_size"] = frame["group_size"].astype(float)
    frame.loc[:9, "group_size"] = np.nan
    frame.loc[10:19, "group_size"] = 0
    judged = evaluate_by_segment(frame, probability, columns=("size",), **KEYWORDS)
    parts = judged.loc[judged["segment"] == "size", "part"].unique().tolist()
    assert parts == ["1", "2-3", "4-7", "8-15", "16+", "(unknown)"]
    assert value(judged, "size", "(unknown)", "gap", "rows") == 20


def few_groups(frame):
    return frame["group_id"].isin(frame["group_id"].unique()[:3])


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: {"group_id": frame["group_id"].where(frame["tier"] != "A", "g1")},
        lambda frame: {"account_id": frame["account_id"].where(frame["tier"] != "A", "a1")},
        lambda frame: {"converted": frame["converted"] & frame["tier"].ne("A")},
        lambda frame: {"converted": frame["converted"] | frame["tier"].eq("A")},
        lambda frame: {"tier": np.where(few_groups(frame), "A", "B")},
    ],
    ids=["one group", "one account", "no conversion", "conversions only", "three groups"],
)
def test_a_part_that_cannot_carry_figures_keeps_its_rows_with_nan(change):
    frame, probability = scored()
    frame = frame.assign(**change(frame))
    judged = evaluate_by_segment(frame, probability, columns=("tier",), **KEYWORDS)
    part = judged[judged["part"] == "A"].set_index("figure")
    assert part["rows"].eq(frame["tier"].eq("A").sum()).all()
    assert part.loc[list(METRICS), "value"].isna().all()
    assert part[["low", "high"]].isna().all(axis=None)
    assert part.loc["observed", "value"] == frame["converted"][frame["tier"].eq("A")].mean()
    assert np.isfinite(judged.loc[judged["part"] == "B", "low"]).all()


def test_no_rows_at_all_give_an_empty_frame():
    frame, probability = scored()
    assert evaluate_by_segment(frame.head(0), probability[:0], **KEYWORDS).empty
    assert evaluate_by_month(frame.head(0), probability[:0], **KEYWORDS).empty


def test_months_are_in_order_of_time_and_judged_each_by_its_rows():
    frame, probability = scored()
    judged = evaluate_by_month(frame, probability, **KEYWORDS)
    assert judged["as_of"].is_monotonic_increasing
    assert "segment" not in judged
    for moment, part in judged.groupby("as_of"):
        inside = frame["as_of"].eq(moment).to_numpy()
        expected = compute_metrics(
            frame["converted"].to_numpy()[inside],
            probability[inside],
            frame["as_of"].to_numpy()[inside],
            touched_per_snapshot=20,
        )
        got = part.set_index("figure")["value"]
        assert got[list(METRICS)].to_dict() == pytest.approx(expected)
        assert got["observed"] == pytest.approx(frame["converted"][inside].mean())
        assert set(part["touched"]) == {20}
        assert set(part["rows"]) == {inside.sum()}


def test_a_segment_that_the_model_cannot_rank_and_one_that_it_promises_too_much_are_named():
    frame, probability = scored(rows=3000, accounts=600)
    draws = np.random.default_rng(5)
    frame["tier"] = draws.choice(["good", "blind", "bold"], len(frame))
    blind, bold = (frame["tier"].eq(name).to_numpy() for name in ("blind", "bold"))
    probability[blind] = draws.permutation(probability[blind])
    probability[bold] = np.sqrt(probability[bold])
    judged = evaluate_by_segment(frame, probability, columns=("tier",), **KEYWORDS)
    found = {(weak.part, weak.figure): weak.sentence for weak in find_weak_segments(judged)}
    assert set(found) == {("blind", "roc_auc"), ("bold", "gap")}
    assert found[("blind", "roc_auc")].startswith("tier blind: ranks worse than its chances say")
    assert "promises too much" in found[("bold", "gap")]
    assert f"{frame['converted'][bold].mean():.1%} observed" in found[("bold", "gap")]
    assert expected_false_alarms(judged) == pytest.approx(3 * 0.05 + 0.025)


def implied_by_hand(probability, weight):
    """Over all pairs of different rows, each as often as both count."""
    above = pairs = 0.0
    for i, p in enumerate(probability):
        for j, q in enumerate(probability):
            if i != j:
                likely = weight[i] * weight[j] * p * (1 - q)
                pairs += likely
                above += likely * (1.0 if p > q else 0.5 if p == q else 0.0)
    return above / pairs


def test_the_implied_auc_is_that_of_all_pairs():
    draws = np.random.default_rng(4)
    probability = draws.choice([0.1, 0.2, 0.35, 0.6, 0.9], 40)
    account = draws.integers(8, size=40)
    for counts in (np.ones(8), draws.integers(0, 3, 8).astype(float)):
        ranked = rank_rows(account, draws.random(40) < probability, probability)
        expected = implied_by_hand(probability, counts[account])
        assert implied_auc(ranked, counts) == pytest.approx(expected)


def test_the_implied_auc_is_the_mean_over_outcomes_drawn_from_the_chances():
    draws = np.random.default_rng(4)
    probability = draws.beta(1, 5, 400)
    account = np.arange(400)
    drawn = [roc_auc_score(draws.random(400) < probability, probability) for _ in range(60)]
    ranked = rank_rows(account, draws.random(400) < probability, probability)
    assert implied_auc(ranked, np.ones(400)) == pytest.approx(np.mean(drawn), abs=0.01)


def test_a_part_of_alike_groups_is_not_weak_for_being_hard_to_rank():
    frame, probability = scored(rows=3000, accounts=600)
    draws = np.random.default_rng(8)
    alike = frame["tier"].eq("A").to_numpy()
    probability[alike] = draws.normal(0.2, 0.02, alike.sum())
    frame["converted"] = draws.random(len(frame)) < probability
    judged = evaluate_by_segment(frame, probability, columns=("tier",), **KEYWORDS)
    assert (
        value(judged, "tier", "A", "roc_auc") < value(judged, ALL_ROWS, ALL_ROWS, "roc_auc") - 0.1
    )
    assert "roc_auc" not in {weak.figure for weak in find_weak_segments(judged)}


def alarms(worlds):
    """In how many worlds of true chances, accounts of several rows each, a part ranks worse."""
    named = 0
    for seed in range(worlds):
        frame, probability = scored(rows=1000, accounts=250, seed=100 + seed)
        judged = evaluate_by_segment(frame, probability, **{**KEYWORDS, "resamples": 60})
        named += any(weak.figure == "roc_auc" for weak in find_weak_segments(judged))
    return named


@pytest.mark.slow
def test_true_chances_rank_worse_in_at_most_one_of_twenty_worlds():
    assert alarms(20) <= 1


def test_nothing_is_weak_where_nothing_could_be_judged():
    frame, probability = scored(rows=5)
    judged = evaluate_by_segment(frame, probability, **KEYWORDS)
    assert find_weak_segments(judged) == ()
    assert find_weak_segments(judged.head(0)) == ()
    assert expected_false_alarms(judged) == 0


def test_the_same_seed_gives_the_same_frame():
    frame, probability = scored(rows=300)
    one, other = (evaluate_by_segment(frame, probability, **KEYWORDS) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_what_cannot_be_judged_is_refused():
    frame, probability = scored(rows=50)
    with pytest.raises(ValueError, match=r"missing: \['group_size'\]"):
        evaluate_by_segment(frame.drop(columns="group_size"), probability, **KEYWORDS)
    with pytest.raises(ValueError, match=r"missing: \['region'\]"):
        evaluate_by_segment(frame, probability, columns=("region",), **KEYWORDS)
    with pytest.raises(ValueError, match="one value per row"):
        evaluate_by_segment(frame, probability[:3], **KEYWORDS)
    with pytest.raises(ValueError, match="at least 1 resample, got 0"):
        evaluate_by_month(frame, probability, **KEYWORDS | {"resamples": 0})
    with pytest.raises(ValueError, match="touched_per_snapshot must be at least 1, got 0"):
        evaluate_by_month(frame, probability, **KEYWORDS | {"touched_per_snapshot": 0})
