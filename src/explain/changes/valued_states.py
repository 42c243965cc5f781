"""States of one group, valued by the model, and the game of those who moved between two of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

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
from ..shapley.game import ROWS_PER_BATCH, Outcome, play_games, stakeholder_game
from ..shapley.transition_game import TransitionAggregator
from ..shapley.valuation import Valuation

LEAVERS = Term("members_left_90d", column("members_left_90d"))  # the one fact that members make


@dataclass(frozen=True)
class GroupState:
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

    def rows(self, neutral_row: Floats) -> dict[str, Floats]:
        """The terms, and last whether somebody left lately; who did is beside the members.

        Args:
            neutral_row: the row of somebody who is not there, shape (terms + 1,).
        """
        return {
            **{contact: np.append(terms, 0.0) for contact, terms in self.terms.items()},
            **{contact: np.append(neutral_row[:-1], 1.0) for contact in self.leavers},
        }


def group_states(
    tables: Mapping[str, pa.Table], group_id: str, as_ofs: Sequence[datetime], bundle: Bundle
) -> Iterator[GroupState]:
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
            yield _group_state(source, group_id, as_of, bundle)


def _group_state(
    source: FeatureSource, group_id: str, as_of: datetime, bundle: Bundle
) -> GroupState:
    with open_snapshot(source, bundle.catalogue, as_of, [group_id]) as snapshot:
        members, facts = snapshot.members.to_pyarrow(), snapshot.fact_rows()
    if not facts.num_rows:
        raise BadInput(
            f"explain: expected a group that is open at {as_of:%Y-%m-%d %H:%M}, but {group_id!r} "
            f"is not for a model of the stage {bundle.settings.target.stage!r}; choose another "
            "cut-off or another version of the model"
        )
    columns = {name: members[name].to_numpy() for name in members.column_names}
    values = term_evaluator(bundle.catalogue)(columns)
    matrix = np.column_stack([values[term.name] for term in bundle.catalogue.terms])
    # The base row has no contact.
    contacts = [contact or NO_ID for contact in columns["contact_id"]]
    roles = dict(zip(contacts, columns["role"], strict=True))
    all_members = source.tables["members"]
    leavers = recent_leavers(all_members.filter(all_members.group_id == group_id), as_of)
    return GroupState(
        dict(zip(contacts, matrix, strict=True)),
        {contact: role for contact, role in roles.items() if contact != NO_ID},
        facts,
        leavers,
    )


class StateTransitions:
    """Values states of one group, and shares out what lies between two of them."""

    def __init__(
        self,
        bundle: Bundle,
        group_id: str,
        states: Mapping[str, GroupState],
        aged: GroupState,
        max_leavers: int,
    ) -> None:
        """Prepares to value some states as they are, and games on one state's facts.

        Args:
            bundle: the model.
            group_id: seeds the games, so that a group has its own stream.
            states: to value as they are, by any name.
            aged: the state whose facts the games keep, but for `LEAVERS`.
            max_leavers: leavers there may be.
        """
        self._bundle = bundle
        self._group_id = group_id
        self._states = states
        self._aggregator = TransitionAggregator((*bundle.catalogue.terms, LEAVERS))
        facts = [_facts_as(state.facts, name) for name, state in states.items()]
        facts += [
            _facts_as(aged.facts, str(leaver_count), leaver_count)
            for leaver_count in range(max_leavers + 1)
        ]
        self._valuation = Valuation(bundle, pa.concat_tables(facts))

    def value(self, name: str) -> float:
        """Log-odds of one of the states."""
        rows = self._states[name].rows(self._aggregator.neutral_row)
        everyone = self._aggregator.aggregate(np.array(list(rows.values())))
        return float(self._valuation([(name, 1)], everyone[None, :-1])[0])

    def attribute_between(self, before: GroupState, after: GroupState) -> tuple[list[str], Outcome]:
        """The game of everybody whose row or role differs; contacts (or NOBODY), and what it found.

        Both states are on the same facts, so that of the outcome `base` is the value before and
        `everyone` the value after.
        """
        neutral_row = self._aggregator.neutral_row
        old, new = before.rows(neutral_row), after.rows(neutral_row)
        changed = [
            contact_id
            for contact_id in sorted({*old, *new})
            if before.roles.get(contact_id) != after.roles.get(contact_id)
            or not np.array_equal(
                old.get(contact_id, neutral_row), new.get(contact_id, neutral_row), equal_nan=True
            )
        ]
        unchanged = [row for contact_id, row in old.items() if contact_id not in set(changed)]
        pairs = [
            np.append(old.get(contact_id, neutral_row), new.get(contact_id, neutral_row))
            for contact_id in changed
        ]
        seed = [self._bundle.settings.model.seed, zlib.crc32(self._group_id.encode())]
        game = stakeholder_game(
            self._aggregator,
            self._aggregator.aggregate(_stack_rows(unchanged, neutral_row.size)),
            _stack_rows(pairs, 2 * neutral_row.size),
            self._bundle.settings.explain,
            partial(np.random.default_rng, seed),
        )
        ((_key, outcome),) = play_games([(self._group_id, game)], self._evaluate, ROWS_PER_BATCH)
        return changed, outcome

    def _evaluate(self, _sizes: list[tuple[str, int]], aggregates: Floats) -> Floats:
        by_leavers = [(f"{leaver_count:.0f}", 1) for leaver_count in aggregates[:, -1]]
        return self._valuation(by_leavers, np.ascontiguousarray(aggregates[:, :-1]))


def _facts_as(facts: pa.Table, name: str, leaver_count: int | None = None) -> pa.Table:
    """The facts under another id, and with another number of leavers."""
    values = (
        {"group_id": name}
        if leaver_count is None
        else {"group_id": name, LEAVERS.name: float(leaver_count)}
    )
    for fact, value in values.items():
        if fact in facts.column_names:
            index = facts.column_names.index(fact)
            facts = facts.set_column(index, facts.schema.field(index), pa.array([value]))
    return facts


def _stack_rows(rows: Iterable[Floats], width: int) -> Floats:
    return stack([row[None, :] for row in rows], width)
