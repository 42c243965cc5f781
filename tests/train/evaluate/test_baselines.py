import numpy as np
import pandas as pd
import pytest
from mqbg.train.evaluate.baselines import BASELINES, TrainingRows
from mqbg.train.fit.calibration import fit_platt
from sklearn.metrics import roc_auc_score

SEED = 3
RULES = ("completeness and engagement rule", "points 75/25")


def training(rows=400, seed=SEED):
    """Features of every awkward kind beside useful ones, and outcomes that follow `strength`."""
    draws = np.random.default_rng(seed)
    strength = draws.normal(size=rows)
    x = pd.DataFrame(
        {
            "rule_engagement": 50 + 10 * strength,
            "completeness": np.clip(strength / 4 + 0.5, 0.0, 1.0).round(1),
            "points_75_25": 40 + 8 * strength + draws.normal(size=rows),
            "visits": np.where(draws.random(rows) < 0.2, np.nan, strength),
            "flag": (draws.random(rows) < 0.05).astype(float),
            "constant": 1.0,
            "never_known": np.nan,
            "heavy": np.exp(draws.normal(0, 4, rows)),
            "industry": draws.choice(np.array(["steel", "banks", None], dtype=object), rows),
            "country": pd.Categorical(draws.choice(["JP", "US"], rows)),
            "nobody_said": np.full(rows, None, dtype=object),
        }
    )
    return TrainingRows(x, draws.random(rows) < 1 / (1 + np.exp(2 - 2 * strength)))


def frame(**columns):
    rules = {"rule_engagement": 1.0, "completeness": 1.0, "points_75_25": 1.0}
    return pd.DataFrame(columns | {k: v for k, v in rules.items() if k not in columns})


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_gives_a_probability_for_every_row(name):
    got = BASELINES[name](training(), training(seed=4).x)
    assert got.shape == (400,)
    assert got.dtype == np.float64
    assert ((got > 0) & (got < 1)).all()


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "base rate"])
def test_every_baseline_but_the_base_rate_ranks_better_than_chance(name):
    test = training(seed=4)
    assert roc_auc_score(test.converted, BASELINES[name](training(), test.x)) > 0.7


@pytest.mark.parametrize("name", BASELINES)
def test_a_row_is_scored_alike_alone_and_among_others(name):
    x = training(seed=4).x
    alone = BASELINES[name](training(), x.iloc[[7]])
    assert alone[0] == pytest.approx(BASELINES[name](training(), x)[7], rel=1e-12)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("converted", [True, False])
def test_one_outcome_only_gives_every_row_one_chance(name, converted):
    train = TrainingRows(training().x, np.full(400, converted))
    got = BASELINES[name](train, training(seed=4).x)
    assert got == pytest.approx(float(converted), abs=0.01)


@pytest.mark.parametrize("name", BASELINES)
def test_text_that_training_never_saw_is_scored(name):
    x = training(seed=4).x.assign(industry="mining", country=pd.Categorical(["FR"] * 400))
    assert np.isfinite(BASELINES[name](training(), x)).all()


@pytest.mark.parametrize("name", BASELINES)
def test_infinite_and_suddenly_missing_numbers_are_scored(name):
    x = training(seed=4).x.assign(flag=np.nan, heavy=np.inf, rule_engagement=np.nan)
    assert np.isfinite(BASELINES[name](training(), x)).all()


def test_base_rate_is_the_share_that_converted():
    train = TrainingRows(frame(visits=[1.0, 2.0, 3.0, 4.0]), np.array([True, False, False, False]))
    assert list(BASELINES["base rate"](train, frame(visits=[9.0, 9.0]))) == [0.25, 0.25]


def test_engagement_rule_ranks_by_engagement_and_completeness_alike():
    x = frame(rule_engagement=[10.0, 50.0, 30.0, 80.0], completeness=[0.5, 0.5, 0.6, 0.0])
    train = TrainingRows(x, np.array([False, True, False, True]))
    score = np.array([30.0, 50.0, 45.0, 40.0])
    expected = fit_platt(score, train.converted)(score)
    assert BASELINES["completeness and engagement rule"](train, x) == pytest.approx(expected)


def test_points_rank_by_the_points_column():
    train, test = training(), training(seed=4)
    got = BASELINES["points 75/25"](train, test.x)
    assert (np.diff(got[np.argsort(test.x["points_75_25"])]) >= 0).all()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_that_ranks_backwards_is_flattened_not_turned_round(name):
    train = training()
    got = BASELINES[name](TrainingRows(train.x, ~train.converted), train.x)
    assert np.ptp(got) < 1e-3


@pytest.mark.parametrize("name", RULES)
def test_a_rule_without_its_columns_is_refused(name):
    train = training()
    with pytest.raises(ValueError, match=r"missing here: \['points_75_25'\]"):
        BASELINES[name](train, train.x.drop(columns="points_75_25"))


@pytest.mark.parametrize("name", ["naive Bayes", "logistic regression"])
def test_rows_without_a_learned_feature_are_refused(name):
    train = training()
    with pytest.raises(ValueError, match=r"missing in the rows: \['flag'\]"):
        BASELINES[name](train, train.x.drop(columns="flag"))


def odoo(rows, outcomes, asked):
    """Odoo's computation in plain Python: rows and `asked` are dictionaries of field values."""
    chance = {}
    for won in (True, False):
        mine = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is won]
        chance[won] = len(mine) / len(rows)
        for field, value in asked.items():
            values = {row[field] for row in rows} - {None}
            if value in values:
                counts = {v: sum(row[field] == v for row in mine) + 0.1 for v in values}
                chance[won] *= counts[value] / sum(counts.values())
    return min(max(chance[True] / (chance[True] + chance[False]), 0.0001), 0.9999)


def test_naive_bayes_is_odoos_computation():
    draws = np.random.default_rng(SEED)
    rows = [
        {
            "industry": draws.choice(np.array(["steel", "banks", None], dtype=object)),
            "country": str(draws.choice(["JP", "US"])),
            "size": float(draws.choice([1.0, 2.0, 5.0])),
        }
        for _ in range(40)
    ]
    outcomes = [bool(draws.random() < (0.7 if row["country"] == "JP" else 0.2)) for row in rows]
    asked = [*rows, {"industry": "mining", "country": "JP", "size": 2.0}]
    got = BASELINES["naive Bayes"](
        TrainingRows(pd.DataFrame(rows), np.array(outcomes)), pd.DataFrame(asked)
    )
    assert got == pytest.approx([odoo(rows, outcomes, one) for one in asked])


def test_naive_bayes_sees_a_rare_value_of_a_number():
    flag = np.array([0.0] * 95 + [1.0] * 5)
    got = BASELINES["naive Bayes"](
        TrainingRows(pd.DataFrame({"flag": flag}), flag > 0), pd.DataFrame({"flag": [0.0, 1.0]})
    )
    assert got[0] < 0.01 < 0.9 < got[1]


def test_naive_bayes_cuts_many_different_numbers_into_deciles():
    visits = np.arange(1000.0)
    train = TrainingRows(pd.DataFrame({"visits": visits}), visits % 1000 > 600)
    got = BASELINES["naive Bayes"](train, train.x)
    assert len(set(got.round(9))) <= 10
    assert (np.diff(got) >= -1e-12).all()


def test_naive_bayes_says_no_more_than_odoo_shows():
    sure = np.tile([0.0, 1.0], 50)
    x = pd.DataFrame({f"copy {number}": sure for number in range(20)})
    assert set(BASELINES["naive Bayes"](TrainingRows(x, sure > 0), x)) == {0.0001, 0.9999}


def test_logistic_regression_reads_missingness():
    visits = np.tile([1.0, np.nan], 100)
    train = TrainingRows(pd.DataFrame({"visits": visits}), np.isnan(visits))
    low, high = BASELINES["logistic regression"](train, train.x)[:2]
    assert low < 0.1 < 0.9 < high


@pytest.mark.parametrize(("rows", "outcomes"), [(3, 2), (0, 0)])
def test_training_rows_need_an_outcome_each(rows, outcomes):
    with pytest.raises(ValueError, match=f"got {rows} rows"):
        TrainingRows(pd.DataFrame({"a": np.zeros(rows)}), np.zeros(outcomes, dtype=bool))


def test_the_penalty_is_the_one_that_held_out_accounts_like_best():
    """Many columns of noise that an account's rows share: only a strong penalty survives them."""
    draws = np.random.default_rng(SEED)
    account = np.repeat(np.arange(60), 10)
    noise = draws.normal(size=(60, 80))[account]
    converted = (draws.random(60) < 0.3)[account]
    names = [f"noise_{number}" for number in range(80)]
    x = frame(**dict(zip(names, noise.T, strict=True)))
    grouped = TrainingRows(x, converted, account.astype(object))
    by_row = TrainingRows(x, converted)
    unseen = frame(**dict(zip(names, draws.normal(size=(80, 600)), strict=True)))
    spread = [np.ptp(BASELINES["logistic regression"](rows, unseen)) for rows in (grouped, by_row)]
    assert spread[0] < spread[1] / 2


def test_the_untuned_trees_read_ten_features_alone():
    rows = training()
    told = BASELINES["LightGBM on ten features"](rows, training(seed=4).x)
    fewer = TrainingRows(
        rows.x[["completeness", "rule_engagement", "points_75_25"]], rows.converted
    )
    assert (told == BASELINES["LightGBM on ten features"](fewer, training(seed=4).x)).all()
    without = TrainingRows(rows.x.drop(columns="completeness"), rows.converted)
    chances = BASELINES["LightGBM on ten features"](without, training(seed=4).x)
    assert set(chances) == {rows.converted.mean()}
