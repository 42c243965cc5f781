from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mqbg.train.evaluate.level import measure_level

KEYWORDS = {"resamples": 200, "seed": 4}


def rows(rate, count=2000, accounts=200, seed=1):
    draws = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "account_id": [f"a{n % accounts}" for n in range(count)],
            "converted": draws.random(count) < rate,
        }
    )


@pytest.mark.parametrize(("expected", "off"), [(0.11, True), (0.032, False), (0.01, True)])
def test_a_level_is_off_where_chance_does_not_explain_the_gap(expected, off):
    level = measure_level(rows(0.032), np.full(2000, expected), **KEYWORDS)
    assert level.off is off
    assert level.low < level.observed < level.high
    assert f"{expected:.1%} were expected" in level.sentence
    assert f"{level.observed:.1%} did" in level.sentence
    assert level.sentence.startswith("The level is off" if off else "The level holds")


def test_a_gap_that_few_accounts_can_explain_is_no_fault():
    few = rows(0.2, accounts=3).assign(converted=[n % 3 == 0 for n in range(2000)])
    assert not measure_level(few, np.full(2000, 0.5), **KEYWORDS).off


def test_a_sure_but_small_gap_is_tolerated():
    many = rows(0.5, count=40_000, accounts=40_000)
    assert not measure_level(many, np.full(40_000, 0.55), **KEYWORDS).off
