"""What speaks for a what-if: snapshots like it, and what models of other accounts say."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from mqbg.explain.what_if_evidence import (
    NO_EVIDENCE,
    Change,
    Evidence,
    changed_groups,
    gather_evidence,
)
from mqbg.model.comparable_snapshots import ComparableSnapshots, RoleSnapshots
from scipy.special import expit

ROWS = ((0.0, 0.0), (0.0, 1.0), (3.0, 3.0), (3.0, 4.0))


def comparable(snapshots=4, radius=0.5):
    roles = (RoleSnapshots("user", snapshots, ROWS, radius),)
    return ComparableSnapshots(("a", "b"), (0.0, 0.0), (1.0, 1.0), roles)


class Valuation:
    """Totals are features; refits read one slope each of the first."""

    def __init__(self, slopes=(), kept=None):
        self.bundle = SimpleNamespace(
            refits=slopes, paired_refits=True, comparable=kept,
            catalogue=SimpleNamespace(feature_names=("a", "b")),
            readiness=expit, log_odds_of_matrix=lambda x: x[:, 0] - 2,
            refitted_log_odds=lambda x: np.array([slope * x[:, 0] - 2 for slope in slopes]),
        )  # fmt: skip

    def feature_matrix(self, sizes, totals):
        assert sum(size for _group, size in sizes) == len(totals)
        return np.array(totals)


def evidence(valuation, changes):
    changed = changed_groups(changes)
    matrix = valuation.feature_matrix(changed.sizes, changed.totals)
    return gather_evidence(valuation.bundle, changed, matrix)


def change(after, role="user", before=(0.0, 0.0)):
    return Change("g", np.array(before), np.array(after), role)


def logarithms(*values):
    """Amounts whose logarithms are these."""
    return tuple(np.expm1(values).tolist())


def test_a_gain_that_all_refits_see_does_not_cover_zero():
    sure, unsure = (
        evidence(Valuation(slopes), [change((1.0, 0.0))])[0]
        for slopes in ((1.0, 0.9, 1.1, 1.0), (1.0, -0.9, 1.1, -1.0))
    )
    assert 0 < sure.low < 100 * (expit(-1) - expit(-2)) < sure.high
    assert not sure.covers_zero
    assert unsure.covers_zero


def test_a_loss_is_the_change_to_the_group_as_it_is():
    (found,) = evidence(Valuation((1.0, 1.0)), [change((1.0, 0.0), None, (0.0, 0.0))])
    assert found.low == pytest.approx(100 * (expit(-1) - expit(-2)))
    assert found.support is None


@pytest.mark.parametrize(
    ("after", "count"),
    [((0.0, 0.0), 2), ((0.0, 1.0), 2), ((3.0, 3.4), 2), ((0.0, 1.9), 1), ((1.5, 2.0), 0)],
)
def test_support_counts_the_snapshots_near_the_edited_group(after, count):
    valuation = Valuation(kept=comparable())
    (found,) = evidence(valuation, [change(logarithms(*after))])
    distance = np.mean((np.array(ROWS) - after) ** 2, axis=1)
    assert found.support == count == int((distance <= 0.5).sum())


def test_each_drawn_snapshot_speaks_for_its_share():
    (found,) = evidence(Valuation(kept=comparable(snapshots=100)), [change((0.0, 0.0))])
    assert found.support == 50


def test_a_role_that_no_training_snapshot_had_engaged_has_no_support():
    (found,) = evidence(Valuation(kept=comparable()), [change((0.0, 0.0), "buyer")])
    assert found.support == 0


def test_each_change_gets_its_own_evidence():
    after = [(float(n), float(n % 2)) for n in range(7)]
    together = evidence(Valuation((1.0, 0.7), comparable()), [change(a) for a in after])
    alone = [evidence(Valuation((1.0, 0.7), comparable()), [change(a)])[0] for a in after]
    assert together == alone


def test_a_model_without_refits_and_snapshots_says_nothing():
    assert evidence(Valuation(), [change((1.0, 0.0))]) == [NO_EVIDENCE]
    assert evidence(Valuation((1.0, 1.0)), []) == []
    assert not NO_EVIDENCE.covers_zero
    assert Evidence(0.0, 3.0).covers_zero  # it may be nothing


def test_a_group_as_it_is_is_valued_once_for_all_its_edits():
    now, other = np.array([0.5, 0.0]), np.array([0.2, 0.0])
    edits = [np.array([1.0, 0.0]), np.array([2.0, 1.0])]
    changes = [
        *(Change("g", now, edit, "user") for edit in edits),
        Change("g", edits[0], now),  # the loss of a member
        Change("h", other, edits[0], "user"),
    ]
    valuation = Valuation((1.0, 0.7), comparable())
    changed = changed_groups(changes)
    assert changed.sizes == [("g", 3), ("h", 2)]
    assert len(changed.totals) == 5
    together = evidence(valuation, changes)
    assert together == [evidence(valuation, [one])[0] for one in changes]
