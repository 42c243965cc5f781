"""A world drawn from a seed, and the tables and the truth that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import BadInput
from ..support.atomic_output import new_folder, refuse_unless_empty
from ..support.progress import Progress
from . import activities as acts
from . import people
from . import sales_tables as sales
from .account_tables import accounts_table, contacts_table
from .activity_table import activities_table
from .export import SHAPES, write_exports
from .outcomes import Outcomes, draw_outcomes
from .parameters import ROLES, TrueParameters
from .shapley import true_contributions
from .timeline import Integers, mondays, month_starts
from .truth import member_state_at, true_log_odds
from .truth_tables import TruthTimeline, base_table, hazard_table, shapley_table, sigmoid
from .write import write_json, write_tables

# Every part draws from a stream of its own, so that a change in one leaves the others alone. Add
# at the end only.
_STREAM_NAMES = (
    "sizes", "accounts", "groups", "pairs", "contacts", "inbound", "outbound", "deal",
    "bystanders", "outcomes", "portal", "account_names", "contact_names", "records", "stages",
    "verdicts", "answers", "costs",
)  # fmt: skip


class _RandomStreams:
    """One random stream per named part, all from one seed."""

    def __init__(self, seed: int) -> None:
        children = np.random.SeedSequence(seed).spawn(len(_STREAM_NAMES))
        self._children = dict(zip(_STREAM_NAMES, children, strict=True))

    def __getitem__(self, shapley_values: str) -> np.random.Generator:
        """A generator at the beginning of the part's stream."""
        return np.random.default_rng(self._children[shapley_values])


@dataclass(frozen=True, slots=True)
class World:
    """Everything that happened, in codes and instants.

    Attributes:
        truth_timeline: the truth at every Monday and every month's start.
    """

    accounts: people.Accounts
    groups: people.Groups
    memberships: people.Memberships
    contacts: people.Contacts
    activities: acts.Activities
    outcomes: Outcomes
    truth: TrueParameters
    truth_timeline: TruthTimeline


def simulate(
    out: Path,
    *,
    groups: int = 3000,
    seed: int = 7,
    exports: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> None:
    """Write a simulated world: the contract's tables as Parquet, and the truth in OUT/truth.

    The same arguments give the same bytes. `out` appears whole or not at all.

    Args:
        out: a folder that does not exist yet, or is empty.
        groups: number of buying groups, at least 1.
        seed: 0 or more.
        exports: shapes (`export.SHAPES`) in which OUT/exports holds the world too, each with its
            truth in OUT/truth/exports.
        progress: called with what begins and the share (0..1) that is done.

    Raises:
        BadInput: `out` holds files, or a number is out of range; nothing is written.
    """
    if groups < 1:
        raise BadInput(f"groups must be 1 or more, got {groups}: ask for at least one group")
    if seed < 0:
        raise BadInput(f"seed must be 0 or more, got {seed}: choose another seed")
    _require_shapes(exports)
    refuse_unless_empty(out)
    report_progress = progress or (lambda _what, _share: None)
    streams = _RandomStreams(seed)
    with new_folder(out) as aside:
        world = _draw_world(streams, groups, report_progress)
        report_progress("writing the tables", 0.5)
        tables = _tables(streams, world)
        write_tables(aside, tables)
        report_progress("writing the truth", 0.85)
        write_tables(aside / "truth", _truth_tables(world))
        write_json(aside / "truth" / "parameters.json", world.truth.to_plain())
        if exports:
            report_progress("writing the exports", 0.9)
            write_exports(tables, exports, aside / "exports", aside / "truth" / "exports", seed)
    report_progress("done", 1.0)


def _require_shapes(exports: tuple[str, ...]) -> None:
    for shape in exports:
        if shape not in SHAPES:
            raise BadInput(
                f"expected an export to be one of {', '.join(SHAPES)}, got {shape!r}: choose "
                "one of them"
            )


def _draw_world(streams: _RandomStreams, count: int, report_progress: Progress) -> World:
    report_progress("accounts and people", 0.0)
    sizes = people.draw_groups_per_account(streams["sizes"], count)
    accounts = people.draw_accounts(streams["accounts"], sizes.size)
    groups = people.draw_groups(streams["groups"], sizes, accounts)
    memberships, first_membership = people.draw_memberships(streams["pairs"], groups)
    contacts = people.draw_contacts(
        streams["contacts"], groups, memberships, first_membership, sizes.size
    )
    report_progress("activities", 0.1)
    activities = acts.concatenate_activities(
        acts.draw_inbound(streams["inbound"], accounts, contacts, groups, memberships),
        acts.draw_outbound(streams["outbound"], accounts, contacts, groups, memberships),
        acts.draw_group_activities(streams["deal"], accounts, groups),
        acts.draw_bystander_activities(
            streams["bystanders"], accounts, contacts, first_membership.size
        ),
    )
    report_progress("log-odds and outcomes", 0.3)
    truth = TrueParameters()
    instants = np.union1d(mondays(), month_starts())
    state = member_state_at(truth, accounts, groups, memberships, activities, instants)
    truth_timeline = TruthTimeline(
        instants, state, true_log_odds(truth, state, memberships.first_of_group())
    )
    hazard = sigmoid(truth_timeline.at(mondays()).log_odds)
    outcomes = draw_outcomes(streams["outcomes"], groups, hazard)
    portal = acts.draw_portal_logins(streams["portal"], groups, memberships, outcomes.converted)
    return World(
        accounts=accounts,
        groups=groups,
        memberships=memberships,
        contacts=contacts,
        activities=acts.concatenate_activities(activities, portal),
        outcomes=outcomes,
        truth=truth,
        truth_timeline=truth_timeline,
    )


def _tables(streams: _RandomStreams, world: World) -> dict[str, Any]:
    groups, memberships = world.groups, world.memberships
    weekly: Integers = mondays()
    accounts, domain = accounts_table(streams["account_names"], world.accounts)
    return {
        "accounts": accounts,
        "contacts": contacts_table(
            streams["contact_names"], world.contacts, world.accounts, domain
        ),
        "solutions": sales.solutions_table(),
        "buying_groups": sales.groups_table(groups, accounts["name"]),
        "contents": sales.contents_table(),
        "members": sales.members_table(memberships, ROLES),
        "activities": activities_table(streams["records"], world.activities),
        "stage_events": sales.stage_events_table(
            streams["stages"], world.accounts, groups, world.outcomes
        ),
        "verdicts": sales.verdicts_table(
            streams["verdicts"], groups, world.outcomes, world.truth_timeline.at(weekly).log_odds
        ),
        "answers": sales.answers_table(streams["answers"], memberships),
        "costs": sales.costs_table(streams["costs"]),
    }


def _truth_tables(world: World) -> dict[str, Any]:
    groups, memberships, outcomes = world.groups, world.memberships, world.outcomes
    monthly = world.truth_timeline.at(month_starts())
    shapley_values = true_contributions(
        world.truth, monthly.state, memberships.group, memberships.first_of_group()
    )
    return {
        "hazard": hazard_table(groups, outcomes, world.truth_timeline.at(mondays())),
        "base": base_table(groups, outcomes, monthly),
        "shapley": shapley_table(groups, memberships, outcomes, monthly, shapley_values),
    }
