"""A kill -9 at any point loses nothing and doubles nothing in effect."""

from __future__ import annotations

import pytest
from killing import KillPoint, kill_at

ROUNDS = (
    (
        KillPoint(commit=True, number=2, done=True),
        KillPoint(commit=False, number=1, done=False, again=False),
        KillPoint(commit=True, number=4, done=True, again=False),
    ),
    (
        KillPoint(commit=True, number=3, done=True, again=False),
        KillPoint(commit=False, number=1, done=True, again=False),
    ),
    (
        KillPoint(commit=False, number=2, done=True, again=False),
        KillPoint(commit=True, number=5, done=False),
    ),
    (
        KillPoint(commit=False, number=6, done=True, again=False),
        KillPoint(commit=True, number=10, done=True, again=False),
    ),
    (
        KillPoint(commit=True, number=7, done=True, again=False),
        KillPoint(commit=True, number=12, done=False, again=False),
    ),
)


@pytest.mark.slow
def test_nights_killed_at_chosen_points_end_as_if_they_had_not_been(stand, tmp_path):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    result = kill_at(url, stand(seed=23), ROUNDS, groups=40)
    assert result.wrong == []
    assert result.killed == [point for points in ROUNDS for point in points]
    assert result.alerts > 10
