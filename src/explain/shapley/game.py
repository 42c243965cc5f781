"""The stakeholder game: Shapley values of members in v(S) = log-odds of the members S (design.md).

Each game is a generator: it yields the totals of the coalitions it wants valued, arrays of shape
(sets, terms), and receives the log-odds of all of them, shape (sets,). `play_games` runs many games
side by side and values their coalitions together, in batches of bounded size, so a hundred thousand
groups cost neither a hundred thousand calls nor the memory of all their coalitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from ...settings import ExplainSettings
from ...support.compiling import compiled
from .coalition_aggregates import Aggregator, Floats, GroupTotals, Integers

MEMBERS_PER_ROTATION = 25
MAX_ROTATIONS = 16  # 16 rotated pairs tell as much of 400 members as 60 at random
MIN_PAIRS = 16  # with fewer, an error estimated from them is too often too small ...
MIN_BLOCKS = 6  # ... and with fewer blocks of them
ROWS_PER_BATCH = 2_048  # some 3 MB of totals: of more, fresh memory costs more than calls save
Coalitions = Sequence[Floats]  # totals to value together, of shape (sets, terms) each
Game = Generator[Coalitions, Floats, "Outcome"]
Key = TypeVar("Key")
Result = TypeVar("Result")

_ORDERS = numba.types.Array(numba.int64, 2, "C", readonly=True)
_TYPES = numba.types.Array(numba.intp, 1, "C", readonly=True)


@dataclass(frozen=True)
class Outcome:
    """What a game found.

    Attributes:
        base: log-odds with nobody in the group.
        everyone: log-odds with all members.
        contribution: shape (members,); base + its sum = everyone.
        standard_error: shape (members,); standard error, 0 when exact.
        without: shape (members,); log-odds of the group without that member.
        extra_log_odds: shape (extra sets,); log-odds of the further totals asked for.
    """

    base: float
    everyone: float
    contribution: Floats
    standard_error: Floats
    without: Floats
    extra_log_odds: Floats


def stakeholder_game(
    aggregator: Aggregator,
    base: Floats,
    members: Floats,
    settings: ExplainSettings,
    rng: Callable[[], np.random.Generator],
    extra: Floats | None = None,
    totals: GroupTotals | None = None,
) -> Game:
    """The game of one group; exact where it has few distinct coalitions, else sampled.

    Args:
        aggregator: how terms combine.
        base: shape (terms,); terms of the base row, always in.
        members: shape (members, terms).
        settings: `max_sets`, `standard_error`, `max_pairs`.
        rng: makes one of this group alone, so that a group's answer never depends on its batch;
            a game that is exact needs none.
        extra: shape (sets, terms); further totals to value, such as what-ifs.
        totals: `aggregator.group_totals` of the members, where they are known.

    Yields:
        Totals of coalitions; send their log-odds.
    """
    known = aggregator.group_totals(base, members) if totals is None else totals
    representatives, types = known.representatives, known.types
    counts = np.bincount(types, minlength=representatives.size)
    requested = known.without if extra is None else np.concatenate([known.without, extra])
    if np.prod(counts + 1.0) <= settings.max_sets:
        game = _exact(aggregator, base, members[representatives], counts, requested)
        base_value, everyone, phi, error, requested_values = yield from game
    else:
        game = _sampled(aggregator, base, members, types, requested, settings, rng())
        base_value, everyone, phi, error, requested_values = yield from game
    return Outcome(
        base_value, everyone, phi[types], error[types],
        requested_values[: representatives.size][types], requested_values[representatives.size :],
    )  # fmt: skip


ShapleyValues = tuple[float, float, Floats, Floats, Floats]


def _exact(
    aggregator: Aggregator, base: Floats, rows: Floats, counts: Integers, requested: Floats
) -> Generator[Coalitions, Floats, ShapleyValues]:
    """Every distinct coalition: how many members of each type are in, not which."""
    coalitions = aggregator.coalitions(base, rows, counts)
    values = yield (coalitions, requested)
    requested_values, values = values[len(coalitions) :], values[: len(coalitions)]
    phi = shapley_of_types(np.ascontiguousarray(values), counts)
    return float(values[0]), float(values[-1]), phi, np.zeros(counts.size), requested_values


@compiled(numba.float64[::1](numba.float64[::1], numba.int64[::1]))
def shapley_of_types(values: Floats, counts: Integers) -> Floats:
    """Shapley value of one member of each type (Shapley 1953, coalitions grouped by type).

    Args:
        values: shape (product of counts + 1,); v of each distinct coalition, the first type's
            count changing fastest, as `Aggregator.coalitions` makes them.
        counts: shape (types,); members of each type in the group.

    Returns:
        Shape (types,).
    """
    member_count = counts.sum()
    log_factorials = np.zeros(member_count + 2)  # logarithms of factorials
    for number in range(1, member_count + 2):
        log_factorials[number] = log_factorials[number - 1] + np.log(number)
    counts_inside = np.zeros(counts.size, np.int64)
    phi = np.zeros(counts.size)
    for index in range(values.size):
        size, log_combinations = 0, 0.0
        for type_index in range(counts.size):
            inside = counts_inside[type_index]
            size += inside
            log_combinations += (
                log_factorials[counts[type_index]]
                - log_factorials[inside]
                - log_factorials[counts[type_index] - inside]
            )
        step = 1
        for type_index in range(counts.size):
            inside, type_count = counts_inside[type_index], counts[type_index]
            if inside < type_count:
                # Coalitions that leave out one given member of this type: of all_of_kind that
                # may be missing, all_of_kind - here are.
                share = np.log(type_count - inside) - np.log(type_count)
                orders = (
                    log_factorials[size]
                    + log_factorials[member_count - size - 1]
                    - log_factorials[member_count]
                )
                phi[type_index] += np.exp(log_combinations + share + orders) * (
                    values[index + step] - values[index]
                )
            step *= type_count + 1
        type_index = 0
        while type_index < counts.size and counts_inside[type_index] == counts[type_index]:
            counts_inside[type_index] = 0
            type_index += 1
        if type_index < counts.size:
            counts_inside[type_index] += 1
    return phi


def _sampled(
    aggregator: Aggregator,
    base: Floats,
    members: Floats,
    types: NDArray[np.intp],
    requested: Floats,
    settings: ExplainSettings,
    rng: np.random.Generator,
) -> Generator[Coalitions, Floats, ShapleyValues]:
    """Antithetic pairs of permutations until the error is small; each sums exactly by itself.

    Turning each order through the places follows Mitchell et al., Sampling Permutations for Shapley
    Value Estimation, JMLR 2022, who spread orders evenly to the same end.
    """
    member_count, type_count = len(members), int(types.max()) + 1
    rotations = (
        min(member_count // MEMBERS_PER_ROTATION, MAX_ROTATIONS, settings.max_pairs // 2) or 1
    )
    max_blocks = max(2, settings.max_pairs // rotations)
    blocks_per_step = max(MIN_BLOCKS, MIN_PAIRS // rotations)
    block_means = np.empty((0, type_count))
    target_blocks, requested_values = min(blocks_per_step, max_blocks), np.empty(0)
    base_value = everyone = 0.0
    while True:
        orders = _antithetic_orders(member_count, rotations, target_blocks - len(block_means), rng)
        coalitions = aggregator.prefixes_by_order(base, members, orders).reshape(-1, base.size)
        is_first = not len(block_means)
        values = yield (coalitions, requested) if is_first else (coalitions,)
        path_values = values[: len(coalitions)].reshape(len(orders), member_count + 1)
        if is_first:
            requested_values = values[path_values.size :]
            base_value, everyone = float(path_values[0, 0]), float(path_values[0, -1])
        gains = _mean_gains(np.ascontiguousarray(path_values), orders, types, type_count)
        blocks = gains.reshape(-1, 2 * rotations, type_count).mean(axis=1)
        block_means = np.vstack([block_means, blocks])
        error = block_means.std(axis=0, ddof=1) / np.sqrt(len(block_means))
        if error.max() < settings.standard_error or len(block_means) >= max_blocks:
            return base_value, everyone, block_means.mean(axis=0), error, requested_values
        needed = len(block_means) * (error.max() / settings.standard_error) ** 2
        target_blocks = min(
            max_blocks,
            max(len(block_means) + 1, math.ceil(min(needed, len(block_means) + blocks_per_step))),
        )


def _antithetic_orders(
    member_count: int, rotations: int, blocks: int, rng: np.random.Generator
) -> Integers:
    """Permutations of members, in blocks of `rotations` antithetic pairs; shape (orders, people).

    A block is one random order begun at evenly spread places, each with its reverse: so every
    member comes early, in the middle and late, and less is left to chance.
    """
    starts = member_count * np.arange(rotations) // rotations
    rotated = (np.arange(member_count) + starts[:, None]) % member_count
    drawn = np.array([rng.permutation(member_count) for _ in range(blocks)])
    forwards = drawn[:, rotated].reshape(-1, 1, member_count)
    both = np.concatenate([forwards, forwards[:, :, ::-1]], axis=1)
    return np.ascontiguousarray(both.reshape(-1, member_count), dtype=np.int64)


@compiled(numba.float64[:, ::1](numba.float64[:, ::1], _ORDERS, _TYPES, numba.int64))
def _mean_gains(
    path_values: Floats, orders: Integers, types: NDArray[np.intp], type_count: int
) -> Floats:
    """What members of each type add at the mean, in each order; shape (orders, types).

    Args:
        path_values: shape (orders, members + 1); log-odds as one member after the other comes in.
        orders: shape (orders, members).
        types: shape (members,).
        type_count: how many types there are.
    """
    gains = np.zeros((len(orders), type_count))
    members = np.zeros(type_count)
    for member_type in types:
        members[member_type] += 1
    for order in range(len(orders)):
        for place in range(types.size):
            step = path_values[order, place + 1] - path_values[order, place]
            gains[order, types[orders[order, place]]] += step
        for member_type in range(type_count):
            gains[order, member_type] /= members[member_type]
    return gains


def play_games(
    games: Iterable[tuple[Key, Generator[Coalitions, Floats, Result]]],
    value: Callable[[list[tuple[Key, int]], Floats], Floats],
    rows_per_batch: int,
) -> Iterator[tuple[Key, Result]]:
    """Runs games side by side; yields each one's key and result as it ends.

    Args:
        games: key and generator; drawn as they are needed.
        value: takes [(key, number of sets), ...] and their stacked totals, shape (sets, terms),
            and returns the log-odds, shape (sets,). The array of totals is used again.
        rows_per_batch: coalitions to gather before they are valued.
    """
    pending: list[tuple[Key, Generator[Coalitions, Floats, Result], Coalitions]] = []
    remaining = iter(games)
    exhausted = False
    buffer = np.empty((0, 0))
    while not exhausted or pending:
        rows = sum(map(_set_count, (coalitions for _key, _game, coalitions in pending)))
        while rows < rows_per_batch and not exhausted:
            next_game = next(remaining, None)
            if next_game is None:
                exhausted = True
                break
            key, game = next_game
            pending.append((key, game, next(game)))
            rows += _set_count(pending[-1][2])
        if not pending:
            return
        batch, pending = pending, []
        sizes = [(key, _set_count(coalitions)) for key, _game, coalitions in batch]
        parts = [part for _key, _game, coalitions in batch for part in coalitions]
        if rows > len(buffer):  # fresh memory for each batch costs as much as filling it
            buffer = np.empty((rows, parts[0].shape[1]))
        values = value(sizes, np.concatenate(parts, out=buffer[:rows]))
        ends = np.cumsum([size for _key, size in sizes])
        for (key, game, _asked), answer in zip(batch, np.split(values, ends[:-1]), strict=True):
            try:
                pending.append((key, game, game.send(answer)))
            except StopIteration as end:
                yield key, end.value


def _set_count(coalitions: Coalitions) -> int:
    return sum(map(len, coalitions))
