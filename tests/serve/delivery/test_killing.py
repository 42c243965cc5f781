"""A kill -9 at any moment loses nothing and doubles nothing in effect."""

from __future__ import annotations

from killing import kill_at_random


def test_nights_killed_at_random_end_as_if_they_had_not_been(stand, tmp_path):
    crm = stand(seed=23)
    url = f"duckdb:///{tmp_path / 'store.duckdb'}"
    result = kill_at_random(url, crm, kills=10, groups=40, seed=23)
    assert result.wrong == []
    assert result.kills == 10
    assert result.halfway > 1
    assert result.alerts > 10
