"""Refits to disjoint halves of the accounts."""

from __future__ import annotations

import numpy as np
import pytest
from mqbg.model.calibrators import Platt
from mqbg.settings import ModelSettings
from mqbg.train.fit import refits as room
from mqbg.train.fit.calibration import CalibratorChoice, fit_platt
from mqbg.train.fit.refits import fit_refits
from mqbg.train.fit.trees import FittedTrees, TrainingMatrix, lightgbm_parameters

COUNT = 240


@pytest.fixture
def refitted(monkeypatch):
    """`refitted(count)`: the refits, and the rows that each of them learned from."""
    draw = np.random.default_rng(2)
    x = draw.normal(size=(COUNT, 2))
    account = np.array([f"a{n // 4}" for n in range(COUNT)], dtype=object)
    converted = x[:, 0] + draw.normal(size=COUNT) > 0
    rows = TrainingMatrix(x, converted, account, account, np.ones(COUNT), ("a", "b"), ())
    parameters = lightgbm_parameters(ModelSettings(threads=1), ())
    fitted = FittedTrees("", 3, x[:, 0], np.arange(COUNT) % 5, parameters, None)
    choice = CalibratorChoice(Platt(1.0, 0.0), {"platt": 0.6, "beta": 0.7}, 0.69)
    learned_from = []
    train = room.train_booster

    def spy(rows, row_indices, parameters, rounds):
        learned_from.append(row_indices)
        return train(rows, row_indices, parameters, rounds)

    monkeypatch.setattr(room, "train_booster", spy)

    def refit(count, rate_shift=0.0):
        found = fit_refits(
            rows, fitted, None, x[:, 0], np.zeros(COUNT), choice, count, rate_shift,
            lambda _label, _share: None,
        )  # fmt: skip
        return found, learned_from, rows

    return refit


def test_the_two_of_a_pair_share_all_accounts_among_them_and_none_twice(refitted):
    _found, learned_from, rows = refitted(4)
    assert len(learned_from) == 4
    for one, other in (learned_from[:2], learned_from[2:]):
        assert sorted([*one, *other]) == list(range(COUNT))
        assert not set(rows.account_id[one]) & set(rows.account_id[other])
        assert len(set(rows.account_id[one])) == 30
    assert sorted(learned_from[0]) != sorted(learned_from[2])


def test_each_calibrator_is_that_of_its_half_at_the_expected_rate(refitted):
    found, learned_from, rows = refitted(2, rate_shift=-0.5)
    for refit, half in zip(found, learned_from, strict=True):
        alone = fit_platt(rows.x[half, 0], rows.converted[half])
        assert refit.calibrator == Platt(alone.slope, alone.intercept - 0.5)


@pytest.mark.parametrize(("asked", "made"), [(0, 0), (1, 0), (2, 2), (5, 4)])
def test_refits_come_in_pairs(refitted, asked, made):
    found, _learned_from, _rows = refitted(asked)
    assert len(found) == made
