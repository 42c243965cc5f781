"""The simulated world as the records of a CRM: with duplicates, merges, leads and lost addresses.

Nothing here is of one system. A person or company of the world (`contact`, `account`: its id in the
contract's tables) has one record or more; `key` numbers the records of a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .spellings import company_core, company_names, corporate_number, person_name

MAIN, TWIN, MERGED, LEAD = "main", "twin", "merged", "lead"
"""Records of a person: the one that deals name; a second one that nobody has noticed; one that the
CRM has merged into the first; a lead that was converted into it."""

OWN_DOMAIN = "vendor.example"
SECOND_COMPANIES, TWINS, MERGES, CONVERSIONS = 0.15, 0.10, 0.04, 0.08
ROLES_RECORDED = 0.6
"""Share of a deal's contacts whose role somebody has written down."""

SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True)
class Records:
    """Tables of records, times in whole seconds UTC.

    Attributes:
        companies: key, account, name, domain, number, industry, employees, country, tier, created,
            master (key of the record that it was merged into, -1: none).
        people: key, contact, kind, main (key of the person's first record), company (key), family,
            given, email, phone, title, department, japanese, created.
        deals: key, group, company (key), name, solution, created, owner.
        roles: key, deal, person (keys), role, recorded, joined, left, changed; one a person and
            deal, as CRMs keep them.
        stages: deal (key), stage (open, opportunity, won, lost, reopened), occurred, amount.
        activities: key, person, deal (keys, -1: none), kind, occurred, recorded, content, title,
            duration.
        end: the instant of the export.
    """

    companies: pd.DataFrame
    people: pd.DataFrame
    deals: pd.DataFrame
    roles: pd.DataFrame
    stages: pd.DataFrame
    activities: pd.DataFrame
    end: pd.Timestamp

    def without(self, *kinds: str) -> Records:
        """The same where no record is of these kinds: what was done with one is the first's."""
        people = self.people[~self.people.kind.isin(kinds)].reset_index(drop=True)
        main = self.people.set_index("key").main
        gone = self.people[self.people.kind.isin(kinds)].key
        activities = self.activities.assign(
            person=self.activities.person.where(
                ~self.activities.person.isin(gone),
                self.activities.person.map(main).fillna(-1).astype("int64"),
            )
        )
        return Records(
            self.companies, people, self.deals, self.roles, self.stages, activities, self.end
        )


def records_of(tables: Mapping[str, Any], seed: int) -> Records:
    """Records of a simulated world.

    Args:
        tables: the contract's tables as Arrow tables.
        seed: for what is planted.
    """
    rng = np.random.default_rng([seed, 0x6578706F7274])
    frames = {name: table.to_pandas() for name, table in tables.items()}
    activities = _activities(frames)
    end = pd.Timestamp(
        max(activities.occurred.max(), _seconds(frames["stage_events"].occurred_at).max())
    ).ceil("D")
    companies = _companies(frames, rng)
    members = _members(frames["members"])
    people = _people(frames, companies, members, activities, rng)
    deals = _deals(frames, companies)
    activities = _place(activities, people, deals, rng)
    stages = _stages(frames["stage_events"], deals, end)
    roles = _roles(members, people, deals, rng)
    return Records(companies, people, deals, roles, stages, activities, end)


def _seconds(times: pd.Series) -> pd.Series:
    return times.astype("datetime64[us]").dt.floor("s")


def _companies(frames: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    accounts = frames["accounts"]
    first = frames["buying_groups"].groupby("account_id").created_at.min()
    created = _seconds(accounts.account_id.map(first).fillna(first.min())) - _days(
        rng.integers(30, 400, len(accounts))
    )
    cores = accounts.name.map(lambda name: company_core(name)[0])
    place = cores.groupby(cores).cumcount()
    names = [company_names(*pair) for pair in zip(accounts.name, place, strict=True)]
    domains = frames["contacts"].dropna(subset=["email"]).groupby("account_id").email.first()
    domain = accounts.domain.where(
        accounts.domain.notna(), accounts.account_id.map(domains).str.partition("@")[2]
    )
    main = pd.DataFrame({
        "account": accounts.account_id, "name": [first for first, _again in names],
        "domain": domain, "industry": accounts.industry, "employees": accounts.employees,
        "country": accounts.country, "tier": accounts.tier, "created": created,
        "number": [
            corporate_number(100_000_000_000 + place) if known else None
            for place, known in enumerate(rng.random(len(accounts)) < 0.5)
        ],
        "master": -1,
    })  # fmt: skip
    again = np.flatnonzero(rng.random(len(accounts)) < SECOND_COMPANIES)
    second = main.iloc[again].assign(
        name=[names[one][1] for one in again], number=None,
        domain=main.domain.iloc[again].where(rng.random(again.size) < 0.5, None),
        created=main.created.iloc[again] + _days(rng.integers(1, 25, again.size)),
        master=np.where(rng.random(again.size) < 0.4, again, -1),
    )  # fmt: skip
    return _numbered(pd.concat([main, second], ignore_index=True))


def _days(count: Any) -> Any:
    return pd.to_timedelta(np.asarray(count), unit="D")


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.reset_index(drop=True)
    rows.insert(0, "key", np.arange(len(rows)))
    return rows


def _members(members: pd.DataFrame) -> pd.DataFrame:
    """One row a contact and group: a CRM keeps the latest role only."""
    rows = members.sort_values(["group_id", "contact_id", "joined_at"])
    spans = rows.groupby(["group_id", "contact_id"], sort=True)
    found = spans.agg(
        role=("role", "last"), joined=("joined_at", "first"), changed=("joined_at", "last")
    ).reset_index()
    last = rows.drop_duplicates(["group_id", "contact_id"], keep="last")
    found["left"] = last.left_at.to_numpy()
    for column in ("joined", "changed", "left"):
        found[column] = _seconds(found[column])
    return found


def _activities(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = frames["activities"].drop_duplicates("activity_id").reset_index(drop=True)
    titles = frames["contents"].set_index("content_id").title
    return pd.DataFrame({
        "contact": rows.contact_id, "group": rows.group_id, "kind": rows.kind,
        "occurred": _seconds(rows.occurred_at), "recorded": _seconds(rows.recorded_at),
        "content": rows.content_id, "title": rows.content_id.map(titles),
        "duration": rows.duration_seconds,
    })  # fmt: skip


def _people(
    frames: Mapping[str, pd.DataFrame],
    companies: pd.DataFrame,
    members: pd.DataFrame,
    activities: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    contacts = frames["contacts"]
    count = len(contacts)
    first = pd.concat(
        [members.groupby("contact_id").joined.min(), activities.groupby("contact").occurred.min()]
    )
    first = first.groupby(level=0).min()
    created = contacts.contact_id.map(first).fillna(first.min()) - _days(rng.integers(1, 60, count))
    country = contacts.account_id.map(frames["accounts"].set_index("account_id").country)
    japanese = (country == "JP").to_numpy()
    names = _names(contacts.account_id, japanese)
    home = companies.drop_duplicates("account").set_index("account").key
    domain = contacts.account_id.map(
        companies.drop_duplicates("account").set_index("account").domain
    )
    main = pd.DataFrame({
        "contact": contacts.contact_id, "kind": MAIN, "main": np.arange(count),
        "company": contacts.account_id.map(home).astype("int64"),
        "family": [one.family for one in names], "given": [one.given for one in names],
        "email": [f"{one.box}{place}@{host}" for one, place, host in
                  zip(names, range(count), domain, strict=True)],
        "phone": contacts.phone, "title": contacts.title, "department": contacts.department,
        "japanese": japanese, "created": created,
    })  # fmt: skip
    main["email"] = main.email.where(rng.random(count) >= 0.03, None)
    chance = rng.random(count)
    limits = np.cumsum([TWINS, MERGES, CONVERSIONS])
    others = []
    for kind, low, high in zip((TWIN, MERGED, LEAD), (0, *limits[:2]), limits, strict=True):
        rows = np.flatnonzero((chance >= low) & (chance < high))
        others.append(_second_records(main, rows, kind, names, companies, rng))
    return _numbered(pd.concat([main, *others], ignore_index=True))


def _names(accounts: pd.Series, japanese: Any) -> list[Any]:
    """Names of which no two of one company are alike."""
    ordinal = accounts.groupby(accounts).cumcount().to_numpy()
    start = accounts.astype("category").cat.codes.to_numpy().astype("int64") * 37
    return [
        person_name(int(place) % 570, japanese=bool(home))
        for place, home in zip(start + ordinal, japanese, strict=True)
    ]


def _second_records(
    main: pd.DataFrame,
    rows: Any,
    kind: str,
    names: list[Any],
    companies: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Records in another script, with the address or the number lost, maybe at a second company."""
    second: pd.DataFrame = main.iloc[rows].copy()
    draw = rng.random((3, rows.size))
    second["kind"] = kind
    if kind == TWIN:
        second["family"] = [names[one].family_again for one in rows]
        second["given"] = [names[one].given_again for one in rows]
        # Something must be left by which a person could tell.
        second["email"] = second.email.where((draw[0] < 0.5) | second.phone.isna(), None)
        second["phone"] = second.phone.where((draw[1] < 0.7) | second.email.isna(), None)
        open_twins = companies[
            (
                companies.key
                != companies.account.map(
                    companies.drop_duplicates("account").set_index("account").key
                )
            )
            & (companies.master < 0)
        ]
        moved = second.company.map(companies.set_index("key").account).map(
            open_twins.set_index("account").key)  # fmt: skip
        second["company"] = moved.where(draw[2] < 0.5).fillna(second.company).astype("int64")
    if kind == LEAD:
        second["created"] = second.created - _days(10)
        second["department"] = None
    return second


def _deals(frames: Mapping[str, pd.DataFrame], companies: pd.DataFrame) -> pd.DataFrame:
    groups = frames["buying_groups"]
    home = companies.drop_duplicates("account").set_index("account").key
    solutions = frames["solutions"].set_index("solution_id").name
    return _numbered(pd.DataFrame({
        "group": groups.group_id, "company": groups.account_id.map(home).astype("int64"),
        "name": groups.name, "solution": groups.solution_id.map(solutions),
        "created": _seconds(groups.created_at), "owner": groups.owner,
    }))  # fmt: skip


def _place(
    activities: pd.DataFrame, people: pd.DataFrame, deals: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Each activity with one of the records of who did it."""
    main = people[people.kind == MAIN].set_index("contact").key
    person = activities.contact.map(main).fillna(-1).astype("int64").to_numpy()
    for kind, share in ((TWIN, 0.3), (MERGED, 0.3), (LEAD, 0.2)):
        others = people[people.kind == kind].set_index("main").key
        other = pd.Series(person).map(others)
        taken = other.notna().to_numpy() & (rng.random(len(activities)) < share)
        person = np.where(taken, other.fillna(-1).astype("int64").to_numpy(), person)
    deal = activities.group.map(deals.set_index("group").key).fillna(-1).astype("int64")
    rows = activities.assign(person=person, deal=deal).drop(columns=["contact", "group"])
    return _numbered(rows.sort_values(["occurred", "person", "deal", "kind"], kind="stable"))


def _stages(events: pd.DataFrame, deals: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    rows = pd.DataFrame({
        "deal": events.group_id.map(deals.set_index("group").key).astype("int64"),
        "stage": events.stage, "occurred": _seconds(events.occurred_at), "amount": events.amount,
    })  # fmt: skip
    return rows[rows.occurred < end].reset_index(drop=True)


def _roles(
    members: pd.DataFrame, people: pd.DataFrame, deals: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    main = people[people.kind == MAIN].set_index("contact").key
    rows = pd.DataFrame({
        "deal": members.group_id.map(deals.set_index("group").key).astype("int64"),
        "person": members.contact_id.map(main).astype("int64"), "role": members.role,
        "recorded": rng.random(len(members)) < ROLES_RECORDED, "joined": members.joined,
        "left": members.left, "changed": members.changed,
    })  # fmt: skip
    return _numbered(rows)
