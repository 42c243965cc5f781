"""Totals of players who have moved or not, and the game played with them."""

from __future__ import annotations

import math
from functools import partial
from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.explain.shapley.game import play_games, stakeholder_game
from mqbg.explain.shapley.transition_game import TransitionAggregator
from mqbg.features.declare.signals import Aggregation
from mqbg.features.declare.terms import Term
from mqbg.settings import ExplainSettings

NAN = math.nan
REDUCES = (Aggregation.SUM, Aggregation.MAX, Aggregation.MIN)
MOVES = TransitionAggregator(
    tuple(Term(f"t{i}", lambda row: row, reduce) for i, reduce in enumerate(REDUCES))
)
GONE = (0.0, NAN, NAN)
QUICK = settings(max_examples=60, deadline=None, derandomize=True)
numbers = st.integers(-4, 4).map(float)
rows = st.one_of(st.just(GONE), st.tuples(numbers, st.one_of(st.just(NAN), numbers), numbers))
players = st.lists(st.tuples(rows, rows), max_size=4)


def reduced(chosen):
    """Totals in plain Python."""
    columns = zip(*chosen, strict=True)
    total, highs, lows = ([x for x in column if not math.isnan(x)] for column in columns)
    return sum(total), max(highs, default=NAN), min(lows, default=NAN)


def value_of(totals):
    total, high, low = (0.5 if math.isnan(x) else x for x in totals)
    return math.tanh(total / 5) + 0.3 * high * (low > 0) + 0.1 * low


def value(_sizes, totals):
    return np.array([value_of(row) for row in totals])


def after_moves(base, pairs, moved):
    """The value when these players moved, by reducing all rows in plain Python."""
    chosen = [new if place in moved else old for place, (old, new) in enumerate(pairs)]
    return value_of(reduced([base, *chosen]))


def matrix(pairs):
    return np.array([old + new for old, new in pairs]).reshape(len(pairs), 6)


def played(base, pairs, chosen):
    rng = partial(np.random.default_rng, 3)
    game = stakeholder_game(MOVES, np.array(base), matrix(pairs), chosen, rng)
    ((_key, outcome),) = play_games([("g", game)], value, 1000)
    return outcome


@QUICK
@given(rows, players)
def test_every_move_has_the_shapley_value_of_plain_python(base, pairs):
    outcome = played(base, pairs, ExplainSettings(max_sets=10_000))
    expected = [0.0] * len(pairs)
    orders = list(permutations(range(len(pairs))))
    for order in orders:
        for place, player in enumerate(order):
            before, after = set(order[:place]), set(order[: place + 1])
            gain = after_moves(base, pairs, after) - after_moves(base, pairs, before)
            expected[player] += gain / len(orders)
    np.testing.assert_allclose(outcome.contribution, expected, rtol=0, atol=1e-9)
    totals = MOVES.group_totals(np.array(base), matrix(pairs))
    assert value_of(totals.everyone) == outcome.everyone
    assert outcome.base == after_moves(base, pairs, set())
    assert outcome.everyone == after_moves(base, pairs, set(range(len(pairs))))


@QUICK
@given(rows, st.lists(st.tuples(rows, rows), min_size=2, max_size=6))
def test_sampled_moves_sum_exactly_too(base, pairs):
    outcome = played(base, pairs, ExplainSettings(max_sets=2, max_pairs=4))
    moved = after_moves(base, pairs, set(range(len(pairs)))) - after_moves(base, pairs, set())
    assert math.isclose(math.fsum(outcome.contribution), moved, abs_tol=1e-9)


@QUICK
@given(rows, players)
def test_without_a_move_the_player_is_as_before(base, pairs):
    outcome = played(base, pairs, ExplainSettings(max_sets=10_000))
    everybody = set(range(len(pairs)))
    expected = [after_moves(base, pairs, everybody - {place}) for place in everybody]
    assert outcome.without.tolist() == expected


def test_who_is_nowhere_changes_no_total():
    one = np.array([[2.0, 1.0, NAN]])
    assert np.array_equal(
        MOVES.aggregate(np.vstack([one, MOVES.neutral_row])), one[0], equal_nan=True
    )
    assert np.array_equal(MOVES.aggregate(np.empty((0, 3))), MOVES.neutral_row, equal_nan=True)
