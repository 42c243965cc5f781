"""When groups convert, close and come back, given the true weekly hazard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .people import Groups
from .timeline import END, NEVER, WEEK, Flags, Floats, Integers, mondays


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Instants per group, NEVER where it does not happen.

    Attributes:
        converted: the opportunity.
        closed: lost without an opportunity.
        reopened: after `closed`; the group can convert again from then on.
        won: after `converted`.
        lost: after `converted`.
        at_risk: shape (groups, WEEKS); could convert in the week.
    """

    converted: Integers
    closed: Integers
    reopened: Integers
    won: Integers
    lost: Integers
    at_risk: Flags

    def eligible(self, groups: Groups, instants: Integers) -> Flags:
        """Created, and not converted or closed, before each instant, (groups, instants)."""
        open_ = groups.created[:, None] < instants
        open_ &= self.converted[:, None] >= instants
        return open_ & _not_closed(self.closed, self.reopened, instants)


def _not_closed(closed: Integers, reopened: Integers, instants: Integers) -> Flags:
    return (closed[:, None] >= instants) | (reopened[:, None] < instants)


def draw_outcomes(rng: np.random.Generator, groups: Groups, hazard: Floats) -> Outcomes:
    """Conversions week by week from the hazard, shape (groups, WEEKS); the rest by chance."""
    weeks = mondays()
    closed, reopened = _draw_closures(rng, groups)
    open_weeks = (groups.created[:, None] < weeks) & _not_closed(closed, reopened, weeks)
    converts = open_weeks & (rng.random(hazard.shape) < hazard)
    week = np.where(converts.any(axis=1), converts.argmax(axis=1), weeks.size)
    time_in_week = (rng.random(len(groups)) * WEEK).astype(np.int64)
    week_start = np.where(week < weeks.size, weeks[np.minimum(week, weeks.size - 1)], NEVER)
    converted = np.where(week_start < NEVER, np.minimum(week_start, END) + time_in_week, NEVER)
    # A conversion cancels a closure that would have come in the same week or later.
    cancelled = closed >= week_start
    at_risk = open_weeks & (np.arange(weeks.size) <= week[:, None])
    won, lost = _draw_deal_endings(rng, converted)
    return Outcomes(
        converted=converted,
        closed=np.where(cancelled, NEVER, closed),
        reopened=np.where(cancelled, NEVER, reopened),
        won=won,
        lost=lost,
        at_risk=at_risk,
    )


def _draw_closures(rng: np.random.Generator, groups: Groups) -> tuple[Integers, Integers]:
    """Groups that sales give up on, and those of them that come back."""
    count = len(groups)
    wait = ((8 + rng.exponential(30.0, count)) * WEEK).astype(np.int64)
    closed = groups.created + wait
    closed = np.where((rng.random(count) < 0.25) & (closed < END), closed, NEVER)
    pause = (rng.uniform(4, 20, count) * WEEK).astype(np.int64)
    reopened = np.minimum(closed, END) + pause
    back = (rng.random(count) < 0.3) & (reopened < END)
    return closed, np.where(back, reopened, NEVER)


def _draw_deal_endings(rng: np.random.Generator, converted: Integers) -> tuple[Integers, Integers]:
    ending = np.minimum(converted, END) + (
        np.exp(rng.normal(np.log(8.0), 0.5, converted.size)) * WEEK
    ).astype(np.int64)
    known = ending < END
    chance = rng.random(converted.size)
    won = np.where(known & (chance < 0.45), ending, NEVER)
    lost = np.where(known & (chance >= 0.45) & (chance < 0.85), ending, NEVER)
    return won, lost
