from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from drawn_settings import sections
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from mqbg.contract import BadInput
from mqbg.settings import (
    DEFAULT_ACTIVITY_KINDS,
    ActivityKind,
    ObservationSettings,
    ProbeSettings,
    RoleRequirement,
    Settings,
    SolutionSettings,
    TargetSettings,
    load_settings,
    model_settings_values,
    settings_from_values,
    settings_values,
    to_utc,
)
from pydantic import ValidationError

WHOLE_FILE = """
[target]
stage = "advanced"
horizon_days = 180
closed_stages = ["won"]
[observation]
until = "2009-01-03"
[snapshots]
every = "2w"
start = 2024-02-01
[roles.decision_maker]
required = 2
weight = 100
priority = 1
[solutions.S1.roles.decision_maker]
required = 3
[kinds.pricing_view]
points = 41
[kinds.fax]
direction = "outbound"
family = "post"
[thresholds]
policy = "value"
capacity_per_week = 7.5
completeness = 0.5
[model]
seed = 1
threads = 1
"""


def written(tmp_path, text):
    path = tmp_path / "mqbg.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load_settings(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    return sentence.removeprefix(f"{path}: ")


def test_without_a_file_every_setting_has_its_default():
    assert load_settings(None) == Settings()


def test_an_empty_file_changes_nothing(tmp_path):
    assert load_settings(written(tmp_path, "")) == Settings()


def test_the_defaults_of_the_fixed_keys():
    settings = Settings()
    assert (settings.target.stage, settings.target.horizon_days) == ("opportunity", 90)
    assert settings.target.closed_stages == ("won", "lost")
    assert settings.observation.until is settings.snapshots.start is None
    assert settings.snapshots.every == "1mo"
    assert (settings.roles, settings.solutions) == ({}, {})
    assert settings.thresholds.policy == "capacity"
    assert (settings.thresholds.capacity_per_week, settings.thresholds.completeness) == (20, 0.6)
    assert (settings.model.seed, settings.model.threads) == (7, 2)


def test_every_fixed_key_is_read(tmp_path):
    settings = load_settings(written(tmp_path, WHOLE_FILE))
    assert settings.target.stage == "advanced"
    assert settings.target.horizon_days == 180
    assert settings.target.closed_stages == ("won",)
    assert settings.observation.until == datetime(2009, 1, 3)
    assert (settings.snapshots.every, settings.snapshots.start) == ("2w", datetime(2024, 2, 1))
    assert settings.roles == {"decision_maker": RoleRequirement(2, 100.0, 1)}
    assert settings.solutions == {"S1": SolutionSettings({"decision_maker": RoleRequirement(3)})}
    assert settings.thresholds.policy == "value"
    assert settings.thresholds.capacity_per_week == 7.5
    assert (settings.model.seed, settings.model.threads) == (1, 1)


def test_probes_and_the_ablation_are_set_key_by_key(tmp_path):
    text = "[probe]\nfeature_auc = 0.99\n[model]\nablation = false"
    settings = load_settings(written(tmp_path, text))
    assert settings.probe == ProbeSettings(feature_auc=0.99)
    assert not settings.model.ablation
    assert Settings().model.ablation


def test_a_kind_in_the_file_is_laid_over_its_default_key_by_key(tmp_path):
    settings = load_settings(written(tmp_path, WHOLE_FILE))
    assert settings.kinds["pricing_view"] == ActivityKind(41.0, "inbound", True, "web")
    assert settings.kinds["fax"] == ActivityKind(1.0, "outbound", False, "post")
    assert {
        name: settings.kinds[name] for name in DEFAULT_ACTIVITY_KINDS if name != "pricing_view"
    } == {name: kind for name, kind in DEFAULT_ACTIVITY_KINDS.items() if name != "pricing_view"}


def test_a_kind_that_nobody_set_is_inbound_one_point_and_its_own_family():
    assert Settings().activity_kind("telex") == ActivityKind(1.0, "inbound", False, "telex")


@pytest.mark.parametrize(
    ("written_as", "read_as"),
    [
        ("2024-02-01", datetime(2024, 2, 1)),
        ("2024-02-01T09:30:00", datetime(2024, 2, 1, 9, 30)),
        ("2024-02-01T09:30:00+09:00", datetime(2024, 2, 1, 0, 30)),
        ('"2024-02-01"', datetime(2024, 2, 1)),
        ('"2024-02-01T09:30+09:00"', datetime(2024, 2, 1, 0, 30)),
    ],
)
def test_times_are_dates_or_texts_and_become_utc(tmp_path, written_as, read_as):
    settings = load_settings(written(tmp_path, f"[observation]\nuntil = {written_as}"))
    assert settings.observation.until == read_as
    assert settings.observation.until.tzinfo is None


def test_naive_means_utc_and_zone_aware_is_converted():
    tokyo = timezone(timedelta(hours=9))
    noon = datetime(2024, 2, 1, 12)
    assert to_utc(noon) == to_utc(noon.replace(tzinfo=UTC)) == noon
    assert to_utc(noon.replace(tzinfo=tokyo)) == datetime(2024, 2, 1, 3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[targets]", "unknown key 'targets'; the nearest known one is 'target'"),
        (
            "[target]\nhorizon = 3",
            "unknown key 'horizon' in [target]; the nearest known one is 'horizon_days'",
        ),
        (
            "[roles.buyer]\nrequire = 3",
            "unknown key 'require' in [roles.buyer]; the nearest known one is 'required'",
        ),
        (
            "[solutions.S1.role.buyer]",
            "unknown key 'role' in [solutions.S1]; the nearest known one is 'roles'",
        ),
        (
            "[kinds.fax]\nhighintent = true",
            "unknown key 'highintent' in [kinds.fax]; the nearest known one is 'high_intent'",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(tmp_path, text, sentence):
    assert refusal(tmp_path, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("target = 3", "expected a table [target], got 3"),
        ("roles = 3", "roles expected a table, got 3"),
        ("kinds = 3", "kinds expected a table, got 3"),
        ("[roles]\nbuyer = 1", "expected a table [roles.buyer], got 1"),
        ("[kinds]\nfax = 1", "expected a table [kinds.fax], got 1"),
        ("[target]\nstage = 3", "[target] stage expected text, got 3"),
        ("[target]\nhorizon_days = 3.5", "[target] horizon_days expected a whole number, got 3.5"),
        (
            "[target]\nhorizon_days = true",
            "[target] horizon_days expected a whole number, got True",
        ),
        ('[target]\nclosed_stages = "won"', "[target] closed_stages expected a list, got 'won'"),
        ("[target]\nclosed_stages = [1]", "[target] closed_stages expected text, got 1"),
        (
            '[thresholds]\ncompleteness = "high"',
            "[thresholds] completeness expected a number, got 'high'",
        ),
        (
            "[thresholds]\ncompleteness = nan",
            "[thresholds] completeness expected a number, got nan",
        ),
        (
            '[kinds.fax]\nhigh_intent = "yes"',
            "[kinds.fax] high_intent expected true or false, got 'yes'",
        ),
        (
            '[observation]\nuntil = "soon"',
            "[observation] until expected a date such as 2024-02-01, got 'soon'",
        ),
        (
            '[snapshots]\nevery = "3w"',
            "[snapshots] every expected one of '1mo', '2w', '1w', got '3w'",
        ),
        (
            '[kinds.fax]\ndirection = "up"',
            "[kinds.fax] direction expected one of 'inbound', 'outbound', got 'up'",
        ),
        (
            "[thresholds]\npolicy = []",
            "[thresholds] policy expected one of 'capacity', 'value', 'precision', got []",
        ),
    ],
)
def test_a_value_of_the_wrong_type_says_what_was_expected_and_what_came(tmp_path, text, sentence):
    assert refusal(tmp_path, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[target]\nhorizon_days = 0", "[target] horizon_days must be 1 to 3650"),
        ("[thresholds]\ncapacity_per_week = 0", "[thresholds] capacity_per_week must be above 0"),
        ("[thresholds]\ncompleteness = 1.1", "[thresholds] completeness must be 0 to 1"),
        ("[model]\nthreads = 0", "[model] threads must be at least 1"),
        ("[probe]\nfeature_auc = 0.5", "[probe] feature_auc must be over 0.5, up to 1"),
        ("[probe]\nmin_conversions = 0", "[probe] min_conversions must be at least 1"),
        ("[probe]\nrecorded_delay_days = 0", "[probe] recorded_delay_days must be over 0"),
        ("[probe]\nplaceholder_groups = 0", "[probe] placeholder_groups must be at least 1"),
        ("[probe]\nkind_share = 1.1", "[probe] kind_share must be over 0, up to 1"),
        ("[probe]\nbackfilled_share = 0", "[probe] backfilled_share must be over 0, up to 1"),
        ("[roles.buyer]\nrequired = -1", "[roles.buyer] must not be negative"),
        (
            "[solutions.S1.roles.buyer]\nweight = -1",
            "[solutions.S1.roles.buyer] must not be negative",
        ),
        (
            "[roles.buyer]\nrequired = 0",
            "[roles] needs at least one role with required = 1 or more",
        ),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(tmp_path, text, sentence):
    assert refusal(tmp_path, text) == sentence


def test_a_file_that_is_absent_not_text_or_not_toml_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"expected a TOML file at .*absent\.toml, found none there"):
        load_settings(tmp_path / "absent.toml")
    assert refusal(tmp_path, "[target").startswith("expected TOML, got: ")
    latin = tmp_path / "latin.toml"
    latin.write_bytes('[roles."Entscheidungsträger"]'.encode("latin-1"))
    with pytest.raises(BadInput, match=r"expected UTF-8 text, .*; save it as UTF-8"):
        load_settings(latin)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "mqbg.toml"
    path.write_bytes(b"\xef\xbb\xbf[model]\nseed = 3")
    assert load_settings(path).model.seed == 3


@hypothesis_settings(max_examples=50, deadline=None, derandomize=True)
@given(settings=sections(Settings))
def test_any_settings_survive_json_unchanged(settings):
    saved = json.loads(json.dumps(settings_values(settings), allow_nan=False))
    assert settings_from_values(saved, "test") == settings


def test_a_tree_of_settings_holds_times_as_iso_text_lists_and_nothing_that_is_not_set():
    settings = Settings(observation=ObservationSettings(datetime(2024, 2, 1, 9, 30, 0, 1)))
    tree = settings_values(settings)
    assert tree["observation"] == {"until": "2024-02-01T09:30:00.000001"}
    assert tree["snapshots"] == {"every": "1mo"}
    assert tree["target"]["closed_stages"] == ["won", "lost"]
    assert list(tree) == [field.name for field in fields(Settings)]


def test_a_tree_that_a_bundle_holds_since_version_0_1_is_read(tmp_path):
    tree = json.loads((Path(__file__).parent / "saved_settings.json").read_text(encoding="utf-8"))
    settings = settings_from_values(tree, "saved_settings.json")
    assert settings == load_settings(written(tmp_path, WHOLE_FILE))
    # What has been added since has its default.
    model = {**tree["model"], "refits": settings.model.refits}
    new_probes = {"joins_after_stage": 0.2, "join_shift_auc": 0.05}
    probe = {**tree["probe"], **new_probes}
    nights = settings.thresholds.held_out_nights
    thresholds = {**tree["thresholds"], "held_out_nights": nights}
    steps = {"min_step_points": 1.0, "min_step_share": 0.05, "contacted_days": 14}
    added = {
        **tree,
        "explain": {**tree["explain"], **steps},
        "model": model,
        "probe": probe,
        "thresholds": thresholds,
        "source": {"normalise": False},
    }
    assert model_settings_values(settings) == added


def test_settings_made_in_code_are_checked_too():
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TargetSettings(horizon_days=0)
    with pytest.raises(ValidationError, match="valid integer"):
        replace(TargetSettings(), horizon_days=True)
    with pytest.raises(FrozenInstanceError):
        TargetSettings().horizon_days = 30
    assert replace(TargetSettings(), horizon_days=30) == TargetSettings(horizon_days=30)


def test_settings_are_read_without_the_engines():
    code = (
        "import sys, mqbg.settings as s; s.settings_from_values({}, 'test'); "
        "print({'ibis', 'duckdb', 'numpy', 'lightgbm', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
