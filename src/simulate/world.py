"""A world drawn from a seed, and the tables and the truth that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import BadInput
from ..support.atomic_output import new_folder, refuse_unless_empty
from . import activities as acts
from . import people, sales
from .names import accounts_table, contacts_table
from .outcomes import Outcomes, draw_outcomes
from .parameters import ROLES, Truth
from .records import activities_table
from .shapley import contributions
from .timeline import Integers, mondays, month_starts
from .truth import log_odds, state_at
from .truth_tables import Known, base_table, hazard_table, shapley_table, sigmoid
from .write import write_json, write_tables

Progress = Callable[[str, float], None]

# Every part draws from a stream of its own, so that a change in one leaves the others alone. Add
# at the end only.
_PARTS = (
    "sizes", "accounts", "groups", "pairs", "contacts", "inbound", "outbound", "deal",
    "bystanders", "outcomes", "portal", "account_names", "contact_names", "records", "stages",
    "verdicts", "answers", "costs",
)  # fmt: skip


class _Streams:
    """One random stream per named part, all from one seed."""

    def __init__(self, seed: int) -> None:
        children = np.random.SeedSequence(seed).spawn(len(_PARTS))
        self._children = dict(zip(_PARTS, children, strict=True))

    def __getitem__(self, part: str) -> np.random.Generator:
        """A generator at the beginning of the part's stream."""
        return np.random.default_rng(self._children[part])


@dataclass(frozen=True, slots=True)
class World:
    """Everything that happened, in codes and instants.

    Attributes:
        known: the truth at every Monday and every month's start.
    """

    accounts: people.Accounts
    groups: people.Groups
    pairs: people.Pairs
    contacts: people.Contacts
    activities: acts.Activities
    outcomes: Outcomes
    truth: Truth
    known: Known


def simulate(
    out: Path, *, groups: int = 3000, seed: int = 7, progress: Progress | None = None
) -> None:
    """Write a simulated world: the contract's tables as Parquet, and the truth in OUT/truth.

    The same arguments give the same bytes. `out` appears whole or not at all.

    Args:
        out: a folder that does not exist yet, or is empty.
        groups: number of buying groups, at least 1.
        seed: 0 or more.
        progress: called with what begins and the share (0..1) that is done.

    Raises:
        BadInput: `out` holds files, or a number is out of range; nothing is written.
    """
    if groups < 1:
        raise BadInput(f"groups must be 1 or more, got {groups}: ask for at least one group")
    if seed < 0:
        raise BadInput(f"seed must be 0 or more, got {seed}: choose another seed")
    refuse_unless_empty(out)
    tell = progress or (lambda _what, _share: None)
    streams = _Streams(seed)
    with new_folder(out) as aside:
        world = _draw(streams, groups, tell)
        tell("writing the tables", 0.5)
        write_tables(aside, _tables(streams, world))
        tell("writing the truth", 0.85)
        write_tables(aside / "truth", _truth_tables(world))
        write_json(aside / "truth" / "parameters.json", world.truth.as_json())
    tell("done", 1.0)


def _draw(streams: _Streams, count: int, tell: Progress) -> World:
    tell("accounts and people", 0.0)
    sizes = people.groups_per_account(streams["sizes"], count)
    accounts = people.draw_accounts(streams["accounts"], sizes.size)
    groups = people.draw_groups(streams["groups"], sizes, accounts)
    pairs, origin = people.draw_pairs(streams["pairs"], groups)
    contacts = people.draw_contacts(streams["contacts"], groups, pairs, origin, sizes.size)
    tell("activities", 0.1)
    done = acts.joined(
        acts.inbound(streams["inbound"], accounts, contacts, groups, pairs),
        acts.outbound(streams["outbound"], accounts, contacts, groups, pairs),
        acts.on_the_deal(streams["deal"], accounts, groups),
        acts.of_bystanders(streams["bystanders"], accounts, contacts, origin.size),
    )
    tell("log-odds and outcomes", 0.3)
    truth = Truth()
    instants = np.union1d(mondays(), month_starts())
    state = state_at(truth, accounts, groups, pairs, done, instants)
    known = Known(instants, state, log_odds(truth, state, pairs.first()))
    hazard = sigmoid(known.at(mondays()).log_odds)
    outcomes = draw_outcomes(streams["outcomes"], groups, hazard)
    portal = acts.after_conversion(streams["portal"], groups, pairs, outcomes.converted)
    return World(
        accounts=accounts,
        groups=groups,
        pairs=pairs,
        contacts=contacts,
        activities=acts.joined(done, portal),
        outcomes=outcomes,
        truth=truth,
        known=known,
    )


def _tables(streams: _Streams, world: World) -> dict[str, Any]:
    groups, pairs = world.groups, world.pairs
    weekly: Integers = mondays()
    accounts, domain = accounts_table(streams["account_names"], world.accounts)
    return {
        "accounts": accounts,
        "contacts": contacts_table(
            streams["contact_names"], world.contacts, world.accounts, domain
        ),
        "solutions": sales.solutions_table(),
        "buying_groups": sales.groups_table(groups),
        "contents": sales.contents_table(),
        "members": sales.members_table(pairs, ROLES),
        "activities": activities_table(streams["records"], world.activities),
        "stage_events": sales.stage_events_table(
            streams["stages"], world.accounts, groups, world.outcomes
        ),
        "verdicts": sales.verdicts_table(
            streams["verdicts"], groups, world.outcomes, world.known.at(weekly).log_odds
        ),
        "answers": sales.answers_table(streams["answers"], pairs),
        "costs": sales.costs_table(streams["costs"]),
    }


def _truth_tables(world: World) -> dict[str, Any]:
    groups, pairs, outcomes = world.groups, world.pairs, world.outcomes
    monthly = world.known.at(month_starts())
    part = contributions(world.truth, monthly.state, pairs.group, pairs.first())
    return {
        "hazard": hazard_table(groups, outcomes, world.known.at(mondays())),
        "base": base_table(groups, outcomes, monthly),
        "shapley": shapley_table(groups, pairs, outcomes, monthly, part),
    }
