"""Snapshots without tables behind them: drawn features and outcomes that they tell, or do not."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.settings import ModelSettings, RoleRequirement, Settings, TargetSettings
from mqbg.train.data.snapshots import SnapshotTable
from mqbg.train.data.split import Split
from mqbg.train.evaluate.evaluation import evaluate_bundle, touched_per_snapshot
from mqbg.train.fit import trees as fit
from mqbg.train.fit.procedure import fit_bundle
from mqbg.train.training import TrainingResult
from scipy.special import expit

FIRST = datetime(2024, 1, 1)
WORDS = build_catalogue(
    Vocabulary(Template((TemplateRole("user", "user", RoleRequirement(), {}),)), ("web",))
)
VALUES = {"tier": ("A", "B"), "solution": ("S1", "S2"), "country": ("JP",)}
COUNTED = ("members", "members_left_90d")
SETTINGS = Settings(
    target=TargetSettings(horizon_days=60),
    model=ModelSettings(threads=1, refits=2, resamples=5, few_conversions=1, ablation=False),
)
SPLIT = Split(
    train=tuple(FIRST + timedelta(days=30 * n) for n in range(4)),
    test=tuple(FIRST + timedelta(days=30 * n) for n in (5, 6)),
    test_from=FIRST + timedelta(days=150),
    before_test=(FIRST + timedelta(days=120),),
)


def _column(feature, draw, rows):
    if feature.categorical:
        return pa.array(draw.choice(VALUES.get(feature.name, ("x",)), rows).tolist(), pa.string())
    if feature.name in COUNTED:
        return pa.array(draw.integers(1, 5, rows).astype(float))
    if feature.name == "rule_engagement":
        return pa.array(draw.uniform(0, 100, rows))
    if feature.name == "completeness":
        return pa.array(draw.uniform(0, 1, rows))
    return pa.array(np.round(draw.gamma(1.0, 2.0, rows), 2))


def _made(seed=1, groups=150, strength=1.0, further=(), target_rate=None):
    """Every group at every cut-off of the split; the rule's two columns tell who converts."""
    draw = np.random.default_rng(seed)
    cutoffs = SPLIT.cutoffs
    rows = groups * len(cutoffs)
    group = np.tile(np.arange(groups), len(cutoffs))
    columns = {f.name: _column(f, draw, rows) for f in WORDS.features}
    told = columns["completeness"].to_numpy() + columns["rule_engagement"].to_numpy() / 100
    odds = 6.0 * strength * (told - 1.0) - 1.0
    lot = draw.random(rows)
    converted = {
        days: lot < expit(odds) * min(1.0, days / SETTINGS.target.horizon_days)
        for days in (SETTINGS.target.horizon_days, *further)
    }
    if target_rate is not None:
        converted = dict.fromkeys(converted, lot < target_rate)
    names = [f"g{n:04d}" for n in group]
    keys = pd.DataFrame(
        {
            "group_id": names,
            "account_id": [f"a{n // 2:04d}" for n in group],
            "solution_id": columns["solution"].to_pylist(),
            "as_of": pd.Series(np.repeat(np.array(cutoffs, "datetime64[us]"), groups)),
            "converted": converted[SETTINGS.target.horizon_days],
        }
    )
    engaged = keys[["group_id", "as_of", "converted"]].assign(
        role="user", **{signal.name: 1.0 for signal in WORDS.signals}
    )
    table = pa.table({"group_id": names, "as_of": keys["as_of"].tolist(), **columns})
    return SnapshotTable(table, keys, engaged, {days: converted[days] for days in further})


def _quiet(_label, _share):
    pass


def _learned(snapshots, settings=SETTINGS, rounds=50, tuned=None, refits=0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "ROUNDS", rounds)
        return fit_bundle(snapshots, SPLIT, WORDS, settings, "f1", _quiet, tuned, refits=refits)


def _trained(snapshots, settings=SETTINGS):
    learned = _learned(snapshots, settings)
    touched = touched_per_snapshot(SPLIT, settings)
    judged = evaluate_bundle(learned, snapshots, SPLIT, touched, _quiet)
    example = snapshots.features.select(list(WORDS.feature_names)).slice(0, 5)
    return TrainingResult(learned.bundle, learned, judged, SPLIT, touched, example, example)


@pytest.fixture(scope="session")
def made_snapshots():
    """Drawn snapshots of `made_split`; see `_made`."""
    return _made


@pytest.fixture(scope="session")
def made_split():
    """Four cut-offs to learn from, one in the gap, two to be judged on."""
    return SPLIT


@pytest.fixture(scope="session")
def made_settings():
    """Settings of a quick training in which the trees score alone."""
    return SETTINGS


@pytest.fixture(scope="session")
def words():
    """The catalogue of the drawn features."""
    return WORDS


@pytest.fixture(scope="session")
def quickly_learned():
    """`learn` on drawn snapshots, with few trees."""
    return _learned


@pytest.fixture(scope="session")
def whole_training():
    """A training on drawn snapshots as `train` gives it, but for the followed line."""
    return _trained


@pytest.fixture(scope="session")
def with_signal(whole_training, made_snapshots):
    """A training on snapshots that tell who converts."""
    return whole_training(made_snapshots())
