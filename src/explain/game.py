"""The stakeholder game: Shapley values of members in v(S) = log-odds of the members S (design.md).

Each game is a generator: it yields the totals of the coalitions it wants valued, shape
(sets, terms), and receives their log-odds, shape (sets,). `play` runs many games side by side and
values their coalitions together, in batches of bounded size, so a hundred thousand groups cost
neither a hundred thousand calls nor the memory of all their coalitions.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from ..settings import Explain
from .monoid import Floats, Totals, Whole, alike, stack
from .trees.compiling import compiled

FIRST_PAIRS = 16  # with fewer, an error estimated from them is too often too small
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
    """Antithetic pairs of permutations until the error is small; each sums exactly by itself."""
    people, kinds = len(members), int(types.max()) + 1
    pairs: list[Floats] = []
    wanted, answers = min(FIRST_PAIRS, settings.max_pairs), np.empty(0)
    base_value = everyone = 0.0
    while True:
        orders = [random.permutation(people) for _ in range(wanted - len(pairs))]
        both = [order for one in orders for order in (one, one[::-1])]
        sets = totals.prefixes_of(base, members, np.array(both)).reshape(-1, base.size)
        first_time = not pairs
        values = yield np.vstack([sets, asked]) if first_time else sets
        runs = values[: len(both) * (people + 1)].reshape(len(both), people + 1)
        if first_time:
            answers = values[runs.size :]
            base_value, everyone = float(runs[0, 0]), float(runs[0, -1])
        gains = np.array(
            [
                _by_type(np.diff(run), types[order], kinds)
                for run, order in zip(runs, both, strict=True)
            ]
        )
        pairs.extend((gains[::2] + gains[1::2]) / 2)
        found = np.array(pairs)
        error = found.std(axis=0, ddof=1) / np.sqrt(len(pairs))
        if error.max() < settings.standard_error or len(pairs) >= settings.max_pairs:
            return base_value, everyone, found.mean(axis=0), error, answers
        wanted = min(2 * len(pairs), settings.max_pairs)


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
        values = value(sizes, np.vstack([asked for _key, _game, asked in batch]))
        ends = np.cumsum([size for _key, size in sizes])
        for (key, game, _asked), answer in zip(batch, np.split(values, ends[:-1]), strict=True):
            try:
                waiting.append((key, game, game.send(answer)))
            except StopIteration as end:
                yield key, end.value
