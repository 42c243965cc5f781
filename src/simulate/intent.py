"""How much a group wants to buy, week by week, and how much of it each member shows."""

from __future__ import annotations

import numpy as np

from .people import Groups, Memberships, interest_by_role
from .timeline import WEEKS, Floats, week_of

_PERSISTENCE = 0.93


def weekly_intent(rng: np.random.Generator, groups: Groups) -> Floats:
    """Latent log intent: a level of the group, a slow wave, and one to three bumps.

    Returns:
        shape (groups, WEEKS).
    """
    level = rng.normal(-0.2, 0.25, len(groups))[:, None]
    return level + _autoregressive_series(rng, len(groups), 0.6) + _intent_peaks(rng, groups)


def member_interest(rng: np.random.Generator, memberships: Memberships) -> Floats:
    """What a member's role, nature and weeks make of the group's intent; positive factors.

    Returns:
        shape (pairs, WEEKS).
    """
    nature = rng.normal(0.0, 0.55, len(memberships)) + np.log(interest_by_role()[memberships.role])
    return np.exp(nature[:, None] + _autoregressive_series(rng, len(memberships), 0.6))


def _autoregressive_series(rng: np.random.Generator, count: int, deviation: float) -> Floats:
    """A stationary AR(1) series per row."""
    wave = np.empty((count, WEEKS))
    wave[:, 0] = rng.normal(0, deviation, count)
    shock = deviation * float(np.sqrt(1 - _PERSISTENCE**2))
    for week in range(1, WEEKS):
        wave[:, week] = _PERSISTENCE * wave[:, week - 1] + rng.normal(0, shock, count)
    return wave


def _intent_peaks(rng: np.random.Generator, groups: Groups) -> Floats:
    total = np.zeros((len(groups), WEEKS))
    week = np.arange(WEEKS)
    created = week_of(groups.created)
    for share in (1.0, 0.4, 0.2):
        centre = created + rng.random(len(groups)) * (WEEKS + 6 - created)
        width = rng.uniform(3, 8, len(groups))
        height = rng.uniform(0.6, 2.0, len(groups)) * (rng.random(len(groups)) < share)
        away = (week - centre[:, None]) / width[:, None]
        total += height[:, None] * np.exp(-0.5 * away**2)
    return total
