from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
from mqbg.contract import BadInput
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.model.bundle import Bundle, ReferenceMember, Refit, TrainingSummary
from mqbg.model.bundle_files import FORMAT, MANIFEST_FILE, TREES_FILE, load_bundle, save_bundle
from mqbg.model.calibrators import Beta, Blend, Platt, VennAbers
from mqbg.model.comparable_snapshots import ComparableSnapshots, RoleSnapshots
from mqbg.model.data_profile import DataProfile
from mqbg.model.feature_matrix import feature_matrix
from mqbg.model.horizons import HorizonModel, HorizonStep
from mqbg.model.linear import LinearPart, LinearTerm
from mqbg.model.pyfunc import _load_pyfunc
from mqbg.model.thresholds import Thresholds
from mqbg.model.tree_text import feature_count, split_features
from mqbg.settings import ModelSettings, RoleRequirement, Settings, SolutionSettings

SEED = 5
SINCE = datetime(2024, 1, 2, 3, 4, 5, 6)
VALUES = {
    "solution": ("S1", "S2", "解決"),
    "industry": ("steel", "製造"),
    "country": ("JP",),
    "tier": (),
    "stage": ("discovery", "商談"),
    "account": ("a1",),
}
VOCABULARY = Vocabulary(
    Template(
        (
            TemplateRole(
                "user", "user", RoleRequirement(2, 40.0, 3), {"S2": RoleRequirement(0, 10.0, 1)}
            ),
            TemplateRole("意思 決定", "意思_決定", None, {"S1": RoleRequirement()}, SINCE),
        )
    ),
    ("web", "展示会"),
    uncertain_roles=True,
)
FEATURES = build_catalogue(VOCABULARY).features
ALONE = Blend(1.0, 250, 0.03, -2.5, 20.0, 0.4)


def features(rows=300, seed=SEED):
    """A feature table of random values, a tenth of them null; `inbound_7d` says who converts."""
    draw = np.random.default_rng(seed)
    columns = {}
    for feature in FEATURES:
        if feature.categorical:
            values = draw.choice([*VALUES[feature.name], "seen by nobody"], rows).astype(object)
        else:
            values = np.round(draw.gamma(1.0, 5.0, rows), 3).astype(object)
        values[draw.random(rows) < 0.1] = None
        columns[feature.name] = pa.array(
            values.tolist(), pa.string() if feature.categorical else pa.float64()
        )
    return pa.table(columns)


def trees(names, x, y, rounds=8):
    categories = [names.index(name) for name in VALUES if name in names]
    data = lgb.Dataset(x, y, feature_name=list(names), categorical_feature=categories)
    how = {"objective": "binary", "verbosity": -1, "seed": SEED, "num_threads": 1}
    return lgb.train(how, data, rounds).model_to_string()


@pytest.fixture(scope="module")
def table():
    return features()


@pytest.fixture(scope="module")
def bundle(table):
    names = build_catalogue(VOCABULARY).feature_names
    x = feature_matrix(table, names, VALUES)
    return Bundle(
        trees=trees(names, x, np.nan_to_num(x[:, names.index("inbound_7d")]) > 5),
        blend=ALONE,
        settings=Settings(
            roles={"user": RoleRequirement(2, 40.0, 3)},
            solutions={
                "S2": SolutionSettings({"user": RoleRequirement(1, 10.0, 1)}),
                "S1": SolutionSettings({"意思 決定": RoleRequirement()}),
            },
            model=ModelSettings(seed=11),
        ),
        vocabulary=VOCABULARY,
        category_values=VALUES,
        calibrator=Platt(0.1 + 0.2, -1 / 3),
        interval=VennAbers((-1.0, 1 / 7), (0.1, 0.2), (0.3, 0.4)),
        thresholds=Thresholds(
            "capacity",
            0.6,
            0.37,
            0.05,
            "tier",
            {"A": 0.1},
            {4: -0.2},
            (("2024-08-01T00:00:00", 0.4),),
        ),
        reference_members=(
            ReferenceMember("user", {"inbound_7d": 2.0, "days_since_inbound": None}, 12, 30),
        ),
        training=TrainingSummary(
            "0f0f", 300, 90, SINCE, datetime(2024, 6, 1), datetime(2024, 9, 1), 17
        ),
        profile=DataProfile(41, {"web_visit": 90, "面談": 3}, {"accounts.industry": 1 / 3}),
    )


@pytest.fixture
def saved(bundle, tmp_path):
    save_bundle(bundle, tmp_path)
    return tmp_path


def card_of(folder):
    return json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))


def rewrite(folder, card):
    (folder / MANIFEST_FILE).write_text(json.dumps(card), encoding="utf-8")


def refusal(folder):
    """The sentence with which a bundle is refused."""
    with pytest.raises(BadInput) as caught:
        load_bundle(folder)
    return str(caught.value)


def test_a_reloaded_bundle_is_equal(bundle, saved):
    assert load_bundle(saved) == bundle


def test_the_number_of_threads_leaves_no_trace_in_the_files(bundle, saved, tmp_path_factory):
    more = replace(bundle.settings, model=replace(bundle.settings.model, threads=7))
    other = tmp_path_factory.mktemp("other")
    save_bundle(replace(bundle, settings=more), other)
    assert (other / MANIFEST_FILE).read_bytes() == (saved / MANIFEST_FILE).read_bytes()


def test_a_reloaded_bundle_scores_alike_to_the_bit(bundle, saved, table):
    other = load_bundle(saved)
    log_odds = bundle.log_odds(table)
    assert len(set(log_odds.tolist())) > 50
    assert other.log_odds(table).tolist() == log_odds.tolist()
    assert other.readiness(log_odds).tolist() == bundle.readiness(log_odds).tolist()
    for one, two in zip(
        other.interval.bounds(log_odds), bundle.interval.bounds(log_odds), strict=True
    ):
        assert one.tolist() == two.tolist()


def test_the_same_bundle_is_the_same_bytes(bundle, saved, tmp_path_factory):
    again = tmp_path_factory.mktemp("again")
    save_bundle(bundle, again)
    for name in (TREES_FILE, MANIFEST_FILE):
        assert (again / name).read_bytes() == (saved / name).read_bytes()


def test_a_bundle_is_text_and_strict_json_and_nothing_else(saved):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    assert sorted(path.name for path in saved.iterdir()) == sorted([TREES_FILE, MANIFEST_FILE])
    text = (saved / MANIFEST_FILE).read_text(encoding="utf-8")
    json.loads(text, parse_constant=refuse)
    assert (saved / TREES_FILE).read_text(encoding="utf-8").startswith("tree\n")


def test_a_number_that_json_does_not_know_is_not_written(bundle, tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        save_bundle(replace(bundle, calibrator=Platt(float("nan"), 0.0)), tmp_path)


@pytest.mark.parametrize("name", [TREES_FILE, MANIFEST_FILE])
def test_a_missing_file_is_refused(saved, name):
    (saved / name).unlink()
    said = refusal(saved)
    assert f"expected a bundle ({TREES_FILE} and {MANIFEST_FILE})" in said
    assert name in said.split("could not read it")[1]
    assert "train again or take another version" in said


def first_half(text):
    return text[: len(text) // 2]


def without_leaves(text):
    """LightGBM ends the whole process over such a text, instead of raising an error."""
    return text.replace("num_leaves=", "leaves=")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (MANIFEST_FILE, first_half),
        (MANIFEST_FILE, lambda _text: ""),
        (MANIFEST_FILE, lambda _text: "[]"),
        (MANIFEST_FILE, lambda _text: "null"),
        (MANIFEST_FILE, lambda text: text.replace('"format"', '"formal"')),
        (TREES_FILE, first_half),
        (TREES_FILE, without_leaves),
        (TREES_FILE, lambda _text: ""),
        (TREES_FILE, lambda text: text.replace("leaf_value=", "leaf_value=9")),
    ],
)
def test_a_damaged_file_is_refused(saved, name, damage):
    text = (saved / name).read_text(encoding="utf-8")
    assert damage(text) != text
    (saved / name).write_text(damage(text), encoding="utf-8")
    assert "expected a bundle" in refusal(saved)


def test_a_file_that_is_no_text_is_refused(saved):
    (saved / MANIFEST_FILE).write_bytes(b"\x80\x04\x95 pickled")
    assert "expected a bundle" in refusal(saved)


@pytest.mark.parametrize(
    "key",
    ["settings", "roles", "families", "features", "category_values", "calibrator", "interval",
     "thresholds", "reference_members", "training", "blend", "horizons"],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, 7, ["x"], {"x": 1}], ids=repr)
def test_a_card_with_a_part_of_another_shape_is_refused(saved, key, value):
    card = card_of(saved)
    rewrite(saved, {**card, key: value})
    assert refusal(saved)
    del card[key]
    rewrite(saved, card)
    assert "expected a bundle" in refusal(saved)


def test_a_newer_format_is_refused_with_what_to_do(saved):
    rewrite(saved, {**card_of(saved), "format": FORMAT + 1})
    said = refusal(saved)
    assert f"format {FORMAT}, got format {FORMAT + 1}; update mqbg" in said


@pytest.mark.parametrize("change", [lambda names: names[::-1], lambda names: names[1:]])
def test_another_feature_list_is_refused(saved, change):
    card = card_of(saved)
    rewrite(saved, {**card, "features": change(card["features"])})
    assert "train again" in refusal(saved)


def test_trees_of_another_width_are_refused(bundle, table, tmp_path):
    names = build_catalogue(VOCABULARY).feature_names[:5]
    x = feature_matrix(table, names, VALUES)
    save_bundle(replace(bundle, trees=trees(names, x, x[:, 0] > 5)), tmp_path)
    said = refusal(tmp_path)
    assert "its trees read 5" in said
    assert "train again" in said


def test_a_category_value_nobody_knew_is_missing(bundle, table):
    for name in VALUES:
        place = table.column_names.index(name)
        for value in ("never heard of", ""):
            unknown = table.set_column(place, name, pa.array([value] * len(table)))
            missing = table.set_column(place, name, pa.nulls(len(table), pa.string()))
            assert np.isnan(bundle.feature_matrix(unknown)[:, place]).all()
            assert bundle.log_odds(unknown).tolist() == bundle.log_odds(missing).tolist()


def test_a_category_value_is_coded_by_its_place(table):
    coded = feature_matrix(
        pa.table({"tier": ["b", None, "a", "c"]}), ["tier"], {"tier": ("a", "b")}
    )
    np.testing.assert_array_equal(coded[:, 0], [1.0, np.nan, 0.0, np.nan])


def test_the_matrix_takes_columns_by_name_and_drops_others(bundle, table):
    shuffled = table.select(table.column_names[::-1]).append_column("extra", pa.nulls(len(table)))
    np.testing.assert_array_equal(bundle.feature_matrix(shuffled), bundle.feature_matrix(table))


def test_a_missing_feature_is_named(bundle, table):
    with pytest.raises(ValueError, match=r"features missing: \['month'\]"):
        bundle.log_odds(table.drop_columns("month"))


def test_no_rows_have_no_log_odds(bundle, table):
    assert bundle.log_odds(table.slice(0, 0)).shape == (0,)


def test_a_row_scores_alike_alone_and_among_others(bundle, table):
    alone = [bundle.log_odds(table.slice(row, 1))[0] for row in range(20)]
    assert alone == bundle.log_odds(table)[:20].tolist()


def test_points_are_a_hundred_times_readiness(bundle):
    log_odds = np.array([-3.0, 0.0, 2.5])
    assert bundle.score_points(log_odds).tolist() == [100 * r for r in bundle.readiness(log_odds)]


def test_mlflow_serves_the_same_numbers(bundle, saved, table):
    served = _load_pyfunc(str(saved)).predict(table.to_pandas())
    assert served["log_odds"].tolist() == bundle.log_odds(table).tolist()
    assert served["readiness"].tolist() == bundle.readiness(bundle.log_odds(table)).tolist()


# Few labels, further horizons


RULE = Blend(0.0, 0, 0.04, -2.5, 20.0, 0.4)


def blended(bundle, share):
    return replace(bundle, blend=replace(ALONE, trees_share=share))


@pytest.fixture
def horizoned(bundle, table):
    """The bundle with a shorter and a longer horizon that have trees of their own."""
    names = bundle.catalogue.feature_names
    x = feature_matrix(table, names, VALUES)
    late = trees(names, x, np.nan_to_num(x[:, names.index("inbound_7d")]) > 2)
    return replace(
        bundle,
        horizon_models=(
            HorizonModel(30, late, Platt(0.5, -2.0)),
            HorizonModel(180, late, Beta(0.5, 0.7, 1.0)),
        ),
    )


@pytest.fixture
def horizons_saved(horizoned, tmp_path):
    save_bundle(horizoned, tmp_path)
    return tmp_path


def test_a_bundle_with_horizons_is_equal_when_reloaded(horizoned, horizons_saved, table):
    other = load_bundle(horizons_saved)
    assert other == horizoned
    x = horizoned.feature_matrix(table)
    log_odds = horizoned.log_odds_of_matrix(x)
    ours, theirs = (one.readiness_by_horizon(x, log_odds) for one in (horizoned, other))
    assert {days: chance.tolist() for days, chance in ours.items()} == {
        days: chance.tolist() for days, chance in theirs.items()
    }
    assert list(ours) == [30, 90, 180]


@pytest.mark.parametrize("name", [TREES_FILE, MANIFEST_FILE, "trees_30d.txt", "trees_180d.txt"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text(first_half(path.read_text(encoding="utf-8"))),
        lambda path: path.write_bytes(b"\x80\x04\x95 pickled"),
        lambda path: path.write_text(""),
    ],
    ids=["missing", "cut", "pickled", "empty"],
)
def test_each_damaged_file_of_a_bundle_with_horizons_is_refused(horizons_saved, name, damage):
    damage(horizons_saved / name)
    assert "train again" in refusal(horizons_saved)


def test_trees_of_one_horizon_do_not_pass_for_those_of_another(horizons_saved):
    (horizons_saved / "trees_30d.txt").write_bytes((horizons_saved / TREES_FILE).read_bytes())
    assert "trees_30d.txt is not the file that was saved" in refusal(horizons_saved)


def test_an_older_format_is_refused_with_what_to_do(saved):
    rewrite(saved, {**card_of(saved), "format": 2})
    assert "got format 2; train again" in refusal(saved)


def test_a_bundle_of_the_format_before_is_read_by_its_old_names(bundle, saved):
    old_names = {
        "floor": "least", "segment_shifts": "segments", "month_shifts": "months",
        "forecast": "expected",
    }  # fmt: skip
    card = card_of(saved)
    card["thresholds"] = {old_names.get(key, key): v for key, v in card["thresholds"].items()}
    card["typical"] = card.pop("reference_members")
    rewrite(saved, {**card, "format": 3})
    assert load_bundle(saved) == bundle


LINEAR = LinearPart(
    0.25,
    -1.5,
    (
        LinearTerm("inbound_7d", 1.2, 0.8, 0.7, 0.05),
        LinearTerm("members", 0.9, 0.5, -0.3, -0.01),
    ),
)


def with_linear_part(bundle):
    return replace(bundle, linear=LINEAR, refits=(Refit(bundle.trees, Platt(1.0, 0.1), LINEAR),))


def test_a_linear_part_says_its_share_of_the_raw_score(bundle, table):
    both = with_linear_part(bundle)
    x = bundle.feature_matrix(table)
    names = bundle.catalogue.feature_names
    column = {name: index for index, name in enumerate(names)}
    expected = 0.75 * bundle.log_odds(table) + 0.25 * LINEAR.log_odds(x, column)
    assert both.log_odds(table) == pytest.approx(expected, rel=1e-12)
    assert {"inbound_7d", "members"} <= both.used_features
    rule = replace(bundle, blend=replace(ALONE, trees_share=0.0)).log_odds(table)
    few = replace(both, blend=replace(ALONE, trees_share=0.3))
    assert few.log_odds(table) == pytest.approx(0.3 * expected + 0.7 * rule)


def test_contributions_cover_the_linear_part(bundle, table):
    both = with_linear_part(bundle)
    x = bundle.feature_matrix(table)
    base = both.log_odds(table) - both.contributions(x).sum(axis=1)
    assert base == pytest.approx(np.full(len(x), base[0]), abs=1e-9)


def test_a_row_scores_alike_alone_and_among_others_with_a_linear_part(bundle, table):
    both = with_linear_part(bundle)
    alone = [both.log_odds(table.slice(row, 1))[0] for row in range(20)]
    assert alone == both.log_odds(table)[:20].tolist()


def test_a_linear_part_survives_saving_and_mlflow_serves_its_numbers(bundle, table, tmp_path):
    both = with_linear_part(bundle)
    save_bundle(both, tmp_path)
    assert load_bundle(tmp_path) == both
    served = _load_pyfunc(str(tmp_path)).predict(table.to_pandas())
    assert served["log_odds"].tolist() == both.log_odds(table).tolist()


def test_a_bundle_of_a_release_with_trees_of_horizons_is_scored_as_it_was_with_a_warning(
    horizoned, horizons_saved, table, caplog
):
    rewrite(horizons_saved, {**card_of(horizons_saved), "format": 5})
    other = load_bundle(horizons_saved)
    assert "further horizons had trees of their own" in caplog.text
    x = other.feature_matrix(table)
    log_odds = other.log_odds_of_matrix(x)
    chances, readiness = other.readiness_by_horizon(x, log_odds), other.readiness(log_odds)
    late = lgb.Booster(model_str=horizoned.horizon_models[0].trees).predict(x, raw_score=True)
    assert chances[90].tolist() == readiness.tolist()
    held = np.minimum(Platt(0.5, -2.0)(late), readiness)
    assert chances[30] == pytest.approx(held, rel=1e-12)
    held = np.maximum(Beta(0.5, 0.7, 1.0)(late), readiness)
    assert chances[180] == pytest.approx(held, rel=1e-12)


def test_refits_of_a_release_before_keep_their_intervals_with_a_warning(
    bundle, table, tmp_path, caplog
):
    drawn = replace(
        bundle,
        refits=tuple(Refit(bundle.trees, Platt(1.0, one)) for one in (-0.5, 0.1, 0.9)),
        paired_refits=False,
    )
    save_bundle(drawn, tmp_path)
    card = card_of(tmp_path)
    del card["linear"], card["paired_refits"]
    for refit in card["refits"]:
        del refit["linear"]
    rewrite(tmp_path, {**card, "format": 5})
    other = load_bundle(tmp_path)
    assert other == drawn
    assert "too narrow in most cases" in caplog.text
    x = other.feature_matrix(table)
    before, after = (one.readiness_interval(x, one.log_odds_of_matrix(x)) for one in (drawn, other))
    assert [end.tolist() for end in before] == [end.tolist() for end in after]


def test_steps_of_horizons_survive_saving_without_a_file_of_their_own(bundle, tmp_path):
    steps = (HorizonStep(30, Platt(0.5, -2.0)), HorizonStep(180, Platt(0.2, -1.0)))
    stepped = replace(bundle, horizon_models=steps)
    save_bundle(stepped, tmp_path)
    assert load_bundle(tmp_path) == stepped
    assert {path.name for path in tmp_path.iterdir()} == {TREES_FILE, MANIFEST_FILE}


def test_a_bundle_of_a_release_without_refits_is_scored_as_it_was_with_a_warning(
    bundle, saved, caplog
):
    card = card_of(saved)
    del card["refits"]
    rewrite(saved, {**card, "format": 4})
    assert load_bundle(saved) == bundle
    assert "of a release without refits" in caplog.text


def test_the_snapshots_that_what_ifs_are_compared_with_survive_saving(bundle, tmp_path):
    roles = (RoleSnapshots("user", 40, ((0.125, -1.5), (0.0, 2.0)), 0.75),)
    kept = ComparableSnapshots(("completeness", "members"), (0.1, 0.2), (1.0, 2.0), roles)
    save_bundle(replace(bundle, comparable=kept), tmp_path)
    assert load_bundle(tmp_path).comparable == kept


def test_a_bundle_of_a_release_that_compared_nothing_is_read_without(bundle, saved):
    card = card_of(saved)
    del card["comparable"]
    rewrite(saved, card)
    assert load_bundle(saved) == replace(bundle, comparable=None)


def test_a_bundle_without_trees_ranks_by_the_rule_and_survives_saving(bundle, table, tmp_path):
    rules = replace(bundle, trees="", blend=RULE)
    save_bundle(rules, tmp_path)
    other = load_bundle(tmp_path)
    assert other == rules
    points = [
        ((row["rule_engagement"] or 0.0) + 100 * (row["completeness"] or 0.0)) / 2
        for row in table.to_pylist()
    ]
    assert other.log_odds(table) == pytest.approx(0.04 * np.array(points) - 2.5)


def test_a_blend_is_the_share_of_the_trees_and_the_rest_of_the_rule(bundle, table):
    whole = bundle.log_odds(table)
    rule = replace(bundle, blend=replace(ALONE, trees_share=0.0)).log_odds(table)
    assert blended(bundle, 0.3).log_odds(table) == pytest.approx(0.3 * whole + 0.7 * rule)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_contributions_add_up_to_the_raw_score_above_the_average(bundle, table, share):
    mixed = blended(bundle, share)
    x = mixed.feature_matrix(table)
    average = bundle.booster.predict(x[:1], pred_contrib=True)[0, -1]  # what the trees expect
    rule = mixed.blend.rule_log_odds(
        np.array([mixed.blend.mean_engagement]), np.array([mixed.blend.mean_completeness])
    )[0]
    expected = share * average + (1 - share) * rule
    parts = mixed.contributions(x)
    assert parts.shape == x.shape
    assert parts.sum(axis=1) == pytest.approx(mixed.log_odds_of_matrix(x) - expected, abs=1e-9)


def test_no_rows_have_no_contributions(bundle, table):
    empty = bundle.feature_matrix(table.slice(0, 0))
    for share in (0.0, 0.5, 1.0):
        assert blended(bundle, share).contributions(empty).shape == empty.shape


@pytest.mark.parametrize("calibrator", [Platt(0.3, -1.0), Beta(0.3, 0.9, -1.0)])
def test_either_calibrator_survives_saving(bundle, tmp_path, calibrator):
    save_bundle(replace(bundle, calibrator=calibrator), tmp_path)
    assert load_bundle(tmp_path).calibrator == calibrator


@pytest.mark.slow
def test_loading_a_bundle_and_finding_its_features_needs_no_lightgbm(saved):
    code = (
        "import sys; from pathlib import Path; from mqbg.model.bundle_files import load_bundle;"
        "print(len(load_bundle(Path(sys.argv[1])).used_features));"
        "assert not {'lightgbm', 'sklearn', 'mlflow'} & set(sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 0


def test_features_that_trees_split_on_are_those_that_lightgbm_counts(bundle):
    counts = bundle.booster.feature_importance("split")
    assert split_features(bundle.trees) == {index for index, count in enumerate(counts) if count}
    assert feature_count(bundle.trees) == bundle.booster.num_feature()


def test_a_bundle_of_an_earlier_catalogue_is_scored_as_it_was_with_a_warning(
    bundle, table, tmp_path, caplog
):
    every = build_catalogue(VOCABULARY).feature_names
    names = tuple(name for name in every if not name.startswith("contact_history"))
    x = feature_matrix(table, names, VALUES)
    converted = np.nan_to_num(x[:, names.index("inbound_7d")]) > 5
    earlier = replace(bundle, trees=trees(names, x, converted), only_features=names)
    save_bundle(earlier, tmp_path)
    assert card_of(tmp_path)["features"] == list(names)
    loaded = load_bundle(tmp_path)
    assert loaded == earlier
    assert loaded.log_odds(table).tolist() == earlier.log_odds(table).tolist()
    assert f"had {len(names)} of today's {len(every)} features" in caplog.text
    assert "train again" in caplog.text


def test_a_bundle_of_a_release_without_uncertain_roles_has_the_catalogue_that_it_had(
    bundle, tmp_path
):
    """Trees stay out: theirs read the expected completeness."""
    certain = replace(
        bundle, trees="", refits=(), blend=replace(ALONE, trees_share=0.0),
        vocabulary=replace(VOCABULARY, uncertain_roles=False),
    )  # fmt: skip
    save_bundle(certain, tmp_path)
    manifest = json.loads((tmp_path / "bundle.json").read_text(encoding="utf-8"))
    del manifest["uncertain_roles"]
    (tmp_path / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    loaded = load_bundle(tmp_path)
    assert loaded.vocabulary == certain.vocabulary
    assert "expected_completeness" not in loaded.catalogue.feature_names
