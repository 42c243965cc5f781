"""The stakeholder game: Shapley values of members in v(S) = log-odds of the members S (design.md).

Each game is a generator: it yields the totals of the coalitions it wants valued, shape
(sets, terms), and receives their log-odds, shape (sets,). `play` runs many games side by side and
values their coalitions together, in batches of bounded size, so a hundred thousand groups cost
neither a hundred thousand calls nor the memory of all their coalitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from ...settings import Explain
from ..treeshap.compiling import compiled
from .coalition_aggregates import Floats, Totals, Whole, alike, stack

MEMBERS_PER_TURN, MOST_TURNS = 25, 16  # 16 turned pairs tell as much of 400 members as 60 at random
FIRST_PAIRS = 16  # with fewer, an error estimated from them is too often too small ...
FIRST_BLOCKS = 6  # ... and with fewer blocks of them
Game = Generator[Floats, Floats, "Outcome"]
Key = TypeVar("Key")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome:
    """What a game found.

    Attributes:
        base: log-odds with nobody in the group.
        everyone: log-odds with all members.
        contribution: shape (members,); base + its sum = everyone.
        error: shape (members,); standard error, 0 when exact.
        without: shape (members,); log-odds of the group without that member.
        extra: shape (extra sets,); log-odds of the further totals asked for.
    """

    base: float
    everyone: float
    contribution: Floats
    error: Floats
    without: Floats
    extra: Floats


def stakeholder_game(
    totals: Totals,
    base: Floats,
    members: Floats,
    settings: Explain,
    random: np.random.Generator,
    extra: Floats | None = None,
) -> Game:
    """The game of one group; exact where it has few distinct coalitions, else sampled.

    Args:
        totals: how terms combine.
        base: shape (terms,); terms of the base row, always in.
        members: shape (members, terms).
        settings: `max_sets`, `standard_error`, `max_pairs`.
        random: of this group alone, so that a group's answer never depends on its batch.
        extra: shape (sets, terms); further totals to value, such as what-ifs.

    Yields:
        Totals of coalitions; send their log-odds.
    """
    first, types = alike(members)
    counts = np.bincount(types, minlength=first.size)
    more = stack([], base.size) if extra is None else extra
    without = totals.without_each(base, members)[first]
    asked = stack([without, more], base.size)
    if np.prod(counts + 1.0) <= settings.max_sets:
        game = _exact(totals, base, members[first], counts, asked)
        base_value, everyone, phi, error, answers = yield from game
    else:
        game = _sampled(totals, base, members, types, asked, settings, random)
        base_value, everyone, phi, error, answers = yield from game
    return Outcome(
        base_value, everyone, phi[types], error[types], answers[: first.size][types],
        answers[first.size :],
    )  # fmt: skip


Parts = tuple[float, float, Floats, Floats, Floats]


def _exact(
    totals: Totals, base: Floats, rows: Floats, counts: Whole, asked: Floats
) -> Generator[Floats, Floats, Parts]:
    """Every distinct coalition: how many members of each type are in, not which."""
    sets = totals.coalitions(base, rows, counts)
    values = yield np.vstack([sets, asked])
    answers, values = values[len(sets) :], values[: len(sets)]
    phi = shapley_of_types(np.ascontiguousarray(values), counts)
    return float(values[0]), float(values[-1]), phi, np.zeros(counts.size), answers


@compiled(numba.float64[::1](numba.float64[::1], numba.int64[::1]))
def shapley_of_types(values: Floats, counts: Whole) -> Floats:
    """Shapley value of one member of each type (Shapley 1953, coalitions grouped by type).

    Args:
        values: shape (product of counts + 1,); v of each distinct coalition, the first type's
            count changing fastest, as `Totals.coalitions` makes them.
        counts: shape (types,); members of each type in the group.

    Returns:
        Shape (types,).
    """
    people = counts.sum()
    ways = np.zeros(people + 2)  # logarithms of factorials
    for number in range(1, people + 2):
        ways[number] = ways[number - 1] + np.log(number)
    inside = np.zeros(counts.size, np.int64)
    phi = np.zeros(counts.size)
    for place in range(values.size):
        size, chosen = 0, 0.0
        for kind in range(counts.size):
            here = inside[kind]
            size += here
            chosen += ways[counts[kind]] - ways[here] - ways[counts[kind] - here]
        step = 1
        for kind in range(counts.size):
            here, all_of_kind = inside[kind], counts[kind]
            if here < all_of_kind:
                # Coalitions that leave out one given member of this type: of all_of_kind that
                # may be missing, all_of_kind - here are.
                share = np.log(all_of_kind - here) - np.log(all_of_kind)
                orders = ways[size] + ways[people - size - 1] - ways[people]
                phi[kind] += np.exp(chosen + share + orders) * (
                    values[place + step] - values[place]
                )
            step *= all_of_kind + 1
        kind = 0
        while kind < counts.size and inside[kind] == counts[kind]:
            inside[kind] = 0
            kind += 1
        if kind < counts.size:
            inside[kind] += 1
    return phi


def _sampled(
    totals: Totals,
    base: Floats,
    members: Floats,
    types: NDArray[np.intp],
    asked: Floats,
    settings: Explain,
    random: np.random.Generator,
) -> Generator[Floats, Floats, Parts]:
    """Antithetic pairs of permutations until the error is small; each sums exactly by itself.

    Turning each order through the places follows Mitchell et al., Sampling Permutations for Shapley
    Value Estimation, JMLR 2022, who spread orders evenly to the same end.
    """
    people, kinds = len(members), int(types.max()) + 1
    turns = min(people // MEMBERS_PER_TURN, MOST_TURNS, settings.max_pairs // 2) or 1
    most = max(2, settings.max_pairs // turns)
    at_a_time = max(FIRST_BLOCKS, FIRST_PAIRS // turns)
    found = np.empty((0, kinds))
    wanted, answers = min(at_a_time, most), np.empty(0)
    base_value = everyone = 0.0
    while True:
        orders = _orders(people, turns, wanted - len(found), random)
        sets = totals.prefixes_of(base, members, orders).reshape(-1, base.size)
        first_time = not len(found)
        values = yield np.vstack([sets, asked]) if first_time else sets
        runs = values[: len(sets)].reshape(len(orders), people + 1)
        if first_time:
            answers = values[runs.size :]
            base_value, everyone = float(runs[0, 0]), float(runs[0, -1])
        gains = [
            _by_type(np.diff(run), types[order], kinds)
            for run, order in zip(runs, orders, strict=True)
        ]
        blocks = np.array(gains).reshape(-1, 2 * turns, kinds).mean(axis=1)
        found = np.vstack([found, blocks])
        error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        if error.max() < settings.standard_error or len(found) >= most:
            return base_value, everyone, found.mean(axis=0), error, answers
        needed = len(found) * (error.max() / settings.standard_error) ** 2
        wanted = min(most, max(len(found) + 1, math.ceil(min(needed, len(found) + at_a_time))))


def _orders(people: int, turns: int, blocks: int, random: np.random.Generator) -> Whole:
    """Permutations of members, in blocks of `turns` antithetic pairs; shape (orders, people).

    A block is one random order begun at evenly spread places, each with its reverse: so every
    member stands early, in the middle and late, and less is left to chance.
    """
    starts = [people * turn // turns for turn in range(turns)]
    drawn = [random.permutation(people) for _ in range(blocks)]
    turned = [np.roll(order, -start) for order in drawn for start in starts]
    return np.array([one for order in turned for one in (order, order[::-1])], dtype=np.int64)


def _by_type(gains: Floats, types: NDArray[np.intp], kinds: int) -> Floats:
    return np.bincount(types, gains, kinds) / np.bincount(types, minlength=kinds)


def play(
    games: Iterable[tuple[Key, Generator[Floats, Floats, Result]]],
    value: Callable[[list[tuple[Key, int]], Floats], Floats],
    rows_per_batch: int,
) -> Iterator[tuple[Key, Result]]:
    """Runs games side by side; yields each one's key and result as it ends.

    Args:
        games: key and generator; drawn as they are needed.
        value: takes [(key, number of sets), ...] and their stacked totals, shape (sets, terms),
            and returns the log-odds, shape (sets,).
        rows_per_batch: coalitions to gather before they are valued.
    """
    waiting: list[tuple[Key, Generator[Floats, Floats, Result], Floats]] = []
    source = iter(games)
    exhausted = False
    while not exhausted or waiting:
        rows = sum(len(asked) for _key, _game, asked in waiting)
        while rows < rows_per_batch and not exhausted:
            following = next(source, None)
            if following is None:
                exhausted = True
                break
            key, game = following
            waiting.append((key, game, next(game)))
            rows += len(waiting[-1][2])
        if not waiting:
            return
        batch, waiting = waiting, []
        sizes = [(key, len(asked)) for key, _game, asked in batch]
        together = [asked for _key, _game, asked in batch]
        values = value(sizes, together[0] if len(together) == 1 else np.vstack(together))
        ends = np.cumsum([size for _key, size in sizes])
        for (key, game, _asked), answer in zip(batch, np.split(values, ends[:-1]), strict=True):
            try:
                waiting.append((key, game, game.send(answer)))
            except StopIteration as end:
                yield key, end.value
