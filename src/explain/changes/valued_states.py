"""States of one group, valued by the model, and the game of those who moved between two of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from ...contract import BadInput
from ...features.declare.expressions import column
from ...features.declare.terms import Term
from ...features.engines.numpy import term_evaluator
from ...features.tables.feature_source import NO_ID, FeatureSource
from ...features.tables.feature_table import open_snapshot
from ...features.time_rules.tables_as_of import in_memory_source, recent_leavers
from ...model.bundle import Bundle
from ..shapley.coalition_aggregates import Floats, stack
from ..shapley.game import Outcome, play, stakeholder_game
from ..shapley.transition_game import Moves
from ..shapley.valuation import Valuation

ROWS_PER_BATCH = 16_384
LEAVERS = Term("members_left_90d", column("members_left_90d"))  # the one fact that members make


@dataclass(frozen=True)
class State:
    """A group as some tables have it at a cut-off.

    Attributes:
        terms: of every member by contact, and of the base by NOBODY; shape (terms,) each.
        roles: of every member by contact.
        facts: one row.
        leavers: contacts that the fact `LEAVERS` counts.
    """

    terms: Mapping[str, Floats]
    roles: Mapping[str, str]
    facts: pa.Table
    leavers: frozenset[str]

    def rows(self, nothing: Floats) -> dict[str, Floats]:
        """The terms, and last whether somebody left lately; who did is beside the members.

        Args:
            nothing: the row of somebody who is not there, shape (terms + 1,).
        """
        return {
            **{contact: np.append(terms, 0.0) for contact, terms in self.terms.items()},
            **{contact: np.append(nothing[:-1], 1.0) for contact in self.leavers},
        }


def states_of(
    tables: Mapping[str, pa.Table], group_id: str, as_ofs: Sequence[datetime], bundle: Bundle
) -> Iterator[State]:
    """A group as some tables have it at each cut-off.

    Args:
        tables: of the contract, few rows.
        group_id: of the group.
        as_ofs: the cut-offs.
        bundle: gives the settings and the catalogue.

    Raises:
        BadInput: the group is not open at one of them.
    """
    with in_memory_source(tables, bundle.settings) as source:
        for as_of in as_ofs:
            yield _state(source, group_id, as_of, bundle)


def _state(source: FeatureSource, group_id: str, as_of: datetime, bundle: Bundle) -> State:
    with open_snapshot(source, bundle.catalogue, as_of, [group_id]) as at:
        members, facts = at.members.to_pyarrow(), at.fact_rows()
    if not facts.num_rows:
        raise BadInput(
            f"explain: expected a group that is open at {as_of:%Y-%m-%d %H:%M}, but {group_id!r} "
            f"is not for a model of the stage {bundle.settings.target.stage!r}; choose another "
            "cut-off or another version of the model"
        )
    columns = {name: members[name].to_numpy() for name in members.column_names}
    found = term_evaluator(bundle.catalogue)(columns)
    matrix = np.column_stack([found[term.name] for term in bundle.catalogue.terms])
    # The base row has no contact.
    contacts = [contact or NO_ID for contact in columns["contact_id"]]
    roles = dict(zip(contacts, columns["role"], strict=True))
    all_members = source.tables["members"]
    gone = recent_leavers(all_members.filter(all_members.group_id == group_id), as_of)
    return State(
        dict(zip(contacts, matrix, strict=True)),
        {contact: role for contact, role in roles.items() if contact != NO_ID},
        facts,
        gone,
    )


class Transitions:
    """Values states of one group, and shares out what lies between two of them."""

    def __init__(
        self,
        bundle: Bundle,
        group_id: str,
        states: Mapping[str, State],
        aged: State,
        most: int,
    ) -> None:
        """Prepares to value some states as they are, and games on one state's facts.

        Args:
            bundle: the model.
            group_id: seeds the games, so that a group has its own stream.
            states: to value as they are, by any name.
            aged: the state whose facts the games keep, but for `LEAVERS`.
            most: leavers there may be.
        """
        self._bundle = bundle
        self._group_id = group_id
        self._states = states
        self._moves = Moves((*bundle.catalogue.terms, LEAVERS))
        facts = [_renamed(state.facts, name) for name, state in states.items()]
        facts += [_renamed(aged.facts, str(left), left) for left in range(most + 1)]
        self._valuation = Valuation(bundle, pa.concat_tables(facts))

    def value(self, name: str) -> float:
        """Log-odds of one of the states."""
        rows = self._states[name].rows(self._moves.nothing)
        everyone = self._moves.total(np.array(list(rows.values())))
        return float(self._valuation([(name, 1)], everyone[None, :-1])[0])

    def between(self, before: State, after: State) -> tuple[list[str], Outcome]:
        """The game of everybody whose row or role differs; contacts (or NOBODY), and what it found.

        Both states are on the same facts, so that of the outcome `base` is the value before and
        `everyone` the value after.
        """
        nothing = self._moves.nothing
        old, new = before.rows(nothing), after.rows(nothing)
        moved = [
            who
            for who in sorted({*old, *new})
            if before.roles.get(who) != after.roles.get(who)
            or not np.array_equal(old.get(who, nothing), new.get(who, nothing), equal_nan=True)
        ]
        still = [row for who, row in old.items() if who not in set(moved)]
        pairs = [np.append(old.get(who, nothing), new.get(who, nothing)) for who in moved]
        seed = [self._bundle.settings.model.seed, zlib.crc32(self._group_id.encode())]
        game = stakeholder_game(
            self._moves,
            self._moves.total(_matrix(still, nothing.size)),
            _matrix(pairs, 2 * nothing.size),
            self._bundle.settings.explain,
            np.random.default_rng(seed),
        )
        ((_key, outcome),) = play([(self._group_id, game)], self._values, ROWS_PER_BATCH)
        return moved, outcome

    def _values(self, _sizes: list[tuple[str, int]], totals: Floats) -> Floats:
        by_leavers = [(f"{left:.0f}", 1) for left in totals[:, -1]]
        return self._valuation(by_leavers, totals[:, :-1])


def _renamed(facts: pa.Table, name: str, left: int | None = None) -> pa.Table:
    """The facts under another id, and with another number of leavers."""
    values = {"group_id": name} if left is None else {"group_id": name, LEAVERS.name: float(left)}
    for fact, value in values.items():
        if fact in facts.column_names:
            place = facts.column_names.index(fact)
            facts = facts.set_column(place, facts.schema.field(place), pa.array([value]))
    return facts


def _matrix(rows: Iterable[Floats], width: int) -> Floats:
    return stack([row[None, :] for row in rows], width)
