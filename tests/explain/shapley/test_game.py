from __future__ import annotations

import math
from dataclasses import astuple
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.explain.shapley.coalition_aggregates import Aggregator
from mqbg.explain.shapley.game import play_games, stakeholder_game
from mqbg.features.declare.signals import Aggregation
from mqbg.features.declare.terms import Term
from mqbg.settings import ExplainSettings

NAN = math.nan
REDUCES = (Aggregation.SUM, Aggregation.SUM, Aggregation.MAX, Aggregation.MIN)
TOTALS = Aggregator(
    tuple(Term(f"t{i}", lambda row: row, reduce) for i, reduce in enumerate(REDUCES))
)
BASE = np.array([0.5, 0.0, NAN, NAN])
NO_EFFECT = (0.0, 0.0, NAN, NAN)
EXACT = ExplainSettings(max_sets=2**14)
SAMPLED = ExplainSettings(max_sets=2)
QUICK = settings(max_examples=40, deadline=None, derandomize=True)


def value(totals):
    """A score with curvature, steps and a reading of nulls, of rows of totals."""
    total, count, high, low = totals.T
    return (
        np.tanh(total / 8)
        + np.where(count >= 2, 0.7, 0.0) * np.where(np.isnan(high), 0.1, high)
        - np.where(np.isnan(low), 1.3, low / (1 + np.abs(low)))
    )


def value_of(rows):
    """The same of one coalition, its rows reduced in plain Python."""
    columns = list(zip(*rows, strict=True))
    said = [[x for x in column if not math.isnan(x)] for column in columns]
    total, count = (math.fsum(column) for column in said[:2])
    high, low = max(said[2], default=NAN), min(said[3], default=NAN)
    return float(value(np.array([[total, count, high, low]]))[0])


def shapley_by_definition(base, members):
    """The mean gain of each member over all coalitions of the others, weighted by size."""
    people = range(len(members))
    phi = []
    for one in people:
        others, gain = [p for p in people if p != one], 0.0
        for size in range(len(others) + 1):
            weight = 1 / (len(members) * math.comb(len(others), size))
            for chosen in combinations(others, size):
                rows = [base, *(members[p] for p in chosen)]
                gain += weight * (value_of([*rows, members[one]]) - value_of(rows))
        phi.append(gain)
    return phi


def valued(_sizes, totals):
    return value(totals)


def game(members, how, seed=3, extra=None):
    rows = np.array(members).reshape(len(members), len(REDUCES))
    rng = partial(np.random.default_rng, seed)
    return stakeholder_game(TOTALS, BASE, rows, how, rng, extra)


def outcome(members, how, **options):
    return dict(play_games([("g", game(members, how, **options))], valued, 100_000))["g"]


def people(count, seed=1):
    """Distinct members: multiples of 2**-20, by `to_fixed_point`, a fifth of the extremes null."""
    draw = np.random.default_rng(seed)
    rows = np.round(draw.normal(0.4, 1.0, (count, len(REDUCES))) * 2**20) / 2**20
    rows[:, 1] = draw.integers(0, 2, count)
    rows[:, 2:][draw.random((count, 2)) < 0.2] = NAN
    return rows


def same(one, other):
    """Equal in every number, to the bit."""
    return all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(astuple(one), astuple(other), strict=True)
    )


amount = st.integers(-(2**22), 2**22).map(lambda n: n * 2.0**-20)
extreme = st.just(NAN) | amount
member = st.tuples(amount, st.sampled_from([0.0, 1.0]), extreme, extreme)
alike_and_not = st.tuples(
    st.lists(member, max_size=3), st.lists(st.integers(0, 2), max_size=5)
).map(lambda drawn: [*drawn[0], *(drawn[0][i] for i in drawn[1] if i < len(drawn[0]))])


@given(alike_and_not)
@QUICK
def test_exact_contributions_are_shapley_values_by_definition(members):
    got = outcome(members, EXACT)
    expected = shapley_by_definition(BASE, members)
    np.testing.assert_allclose(got.contribution, expected, rtol=0, atol=1e-9)
    assert not got.standard_error.any()


@pytest.mark.parametrize("count", [0, 1, 2, 8, 400])
@pytest.mark.parametrize("how", [ExplainSettings(), SAMPLED], ids=["default", "sampled"])
def test_base_and_contributions_sum_to_the_log_odds_of_everyone(count, how):
    members = people(count)
    got = outcome(members, how)
    assert got.base == value_of([BASE])
    assert got.everyone == pytest.approx(value_of([BASE, *members]), abs=1e-12)
    assert got.base + math.fsum(got.contribution) == pytest.approx(got.everyone, abs=1e-9)


def test_four_hundred_members_alike_are_exact_and_share_equally():
    got = outcome([people(1)[0]] * 400, ExplainSettings())
    each = (got.everyone - got.base) / 400
    np.testing.assert_allclose(got.contribution, each, rtol=1e-9)
    assert not got.standard_error.any()


@pytest.mark.parametrize("how", [EXACT, SAMPLED], ids=["exact", "sampled"])
def test_a_member_without_effect_gets_exactly_zero(how):
    got = outcome([*people(5), NO_EFFECT, *people(2, seed=9), NO_EFFECT], how)
    assert got.contribution[[5, 8]].tolist() == [0.0, 0.0]
    assert got.standard_error[[5, 8]].tolist() == [0.0, 0.0]
    assert np.count_nonzero(got.contribution) == 7


@pytest.mark.parametrize("how", [EXACT, SAMPLED], ids=["exact", "sampled"])
def test_two_alike_members_get_equal_parts_to_the_bit(how):
    members = people(6)
    got = outcome([*members, members[2]], how)
    assert got.contribution[2] == got.contribution[6] != got.contribution[3]
    assert got.standard_error[2] == got.standard_error[6]
    assert got.without[2] == got.without[6]


@pytest.mark.parametrize("seed", range(6))
def test_a_sampled_contribution_is_within_four_standard_errors_of_the_exact_one(seed):
    # Of few pairs, the error itself is an estimate: a gain that few orders show may be missing.
    many = ExplainSettings(max_sets=2, standard_error=0.01, max_pairs=4096)
    members = people(11, seed)
    exact, sampled = outcome(members, EXACT), outcome(members, many, seed=seed)
    assert 0 < sampled.standard_error.max() < 0.01
    assert np.all(np.abs(sampled.contribution - exact.contribution) <= 4 * sampled.standard_error)


@pytest.mark.parametrize("seed", range(6))
def test_by_default_no_member_is_further_off_than_four_of_the_largest_errors(seed):
    members = people(11, seed)
    exact, sampled = outcome(members, EXACT), outcome(members, ExplainSettings(), seed=seed)
    wrong = np.abs(sampled.contribution - exact.contribution)
    assert 0 < wrong.max() <= 4 * sampled.standard_error.max()


def test_sampling_goes_on_until_the_error_is_small_or_the_pairs_are_used_up():
    members = people(11)
    strict = ExplainSettings(max_sets=2, standard_error=0.005, max_pairs=4096)
    assert outcome(members, strict).standard_error.max() < 0.005
    few = ExplainSettings(max_sets=2, standard_error=1e-9, max_pairs=4)
    rows = []
    drawn = game(members, few)
    list(play_games([("g", drawn)], lambda _s, t: rows.append(len(t)) or value(t), 1))
    assert sum(rows) == 4 * 2 * (11 + 1) + 11  # pairs x both orders x prefixes, and leavers


def test_the_choice_between_exact_and_sampled_is_by_the_number_of_distinct_sets():
    assert not outcome(people(10), ExplainSettings(max_sets=1024)).standard_error.any()
    assert outcome(people(10), ExplainSettings(max_sets=1023)).standard_error.any()


@pytest.mark.parametrize("how", [EXACT, SAMPLED], ids=["exact", "sampled"])
def test_without_is_the_log_odds_of_the_group_without_that_member(how):
    members = [*people(5), NO_EFFECT]
    got = outcome(members, how)
    expected = [value_of([BASE, *members[:i], *members[i + 1 :]]) for i in range(6)]
    np.testing.assert_allclose(got.without, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("how", [EXACT, SAMPLED], ids=["exact", "sampled"])
@pytest.mark.parametrize("count", [0, 6])
def test_further_totals_are_valued_in_their_order(how, count):
    asked = np.array([[3.0, 1.0, 0.5, NAN], [-1.0, 2.0, NAN, 0.25]])
    got = outcome(people(count), how, extra=asked)
    assert got.extra_log_odds.tolist() == value(asked).tolist()
    assert same(outcome(people(count), how), outcome(people(count), how, extra=asked[:0]))


def test_a_seed_fixes_the_sample_and_another_seed_draws_another():
    members = people(12)
    assert same(outcome(members, SAMPLED, seed=5), outcome(members, SAMPLED, seed=5))
    assert not same(outcome(members, SAMPLED, seed=5), outcome(members, SAMPLED, seed=6))


@pytest.mark.parametrize("rows_per_batch", [1, 50, 100_000])
def test_a_groups_answer_does_not_depend_on_its_batch(rows_per_batch):
    sizes = {f"g{seed}": (seed, how) for seed in range(6) for how in [(EXACT, SAMPLED)[seed % 2]]}
    alone = {key: outcome(people(seed + 1, seed), how, seed=seed) for key, (seed, how) in
             sizes.items()}  # fmt: skip
    for keys in (list(sizes), list(sizes)[::-1]):
        games = [
            (key, game(people(sizes[key][0] + 1, sizes[key][0]), sizes[key][1], sizes[key][0]))
            for key in keys
        ]
        together = dict(play_games(games, valued, rows_per_batch))
        assert sorted(together) == sorted(alone)
        assert all(same(together[key], alone[key]) for key in alone)


def test_games_are_drawn_only_as_the_batch_has_room():
    drawn, seen = [], []

    def games():
        for number in range(20):
            drawn.append(number)
            yield number, game(people(4, number), EXACT)

    def count_and_value(sizes, totals):
        seen.append((len(drawn), len(totals)))
        assert sum(size for _key, size in sizes) == len(totals)
        return value(totals)

    assert len(list(play_games(games(), count_and_value, rows_per_batch=30))) == 20
    assert seen[0] == (2, 2 * (2**4 + 4))  # 20 rows a game: the second one fills the batch


def test_playing_no_game_yields_nothing():
    assert list(play_games([], valued, 10)) == []
