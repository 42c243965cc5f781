"""What the accounts, solutions and contacts of a set of scores are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from ...contract import BadInput
from ...source import Source
from .scoring import ScoreTables

ContactDetails = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class CrmRecord:
    """The record of a group in the CRM.

    Attributes:
        name: of the deal.
        owner: who works it.
        url: where it opens, of http or https alone: it becomes a link.
    """

    name: str | None = None
    owner: str | None = None
    url: str | None = None


NO_RECORD = CrmRecord()


@dataclass(frozen=True)
class Names:
    """Names by id; an id without a name stands for itself.

    Attributes:
        accounts: name by account_id.
        solutions: name by solution_id.
        contacts: full_name, title and department by contact_id.
        tiers: of the accounts that have one, by account_id.
        records: of the groups in the CRM, by group_id.
        workplaces: name of the account that each contact works at, by contact_id, where both are
            known.
    """

    accounts: Mapping[str, str]
    solutions: Mapping[str, str]
    contacts: Mapping[str, ContactDetails]
    tiers: Mapping[str, str]
    records: Mapping[str, CrmRecord] = field(default_factory=dict)
    workplaces: Mapping[str, str] = field(default_factory=dict)

    def record(self, group_id: str) -> CrmRecord:
        """The group's record in the CRM, as far as it is known."""
        return self.records.get(group_id, NO_RECORD)

    def account(self, account_id: str) -> str:
        """The account's name."""
        return self.accounts.get(account_id) or account_id

    def solution(self, solution_id: str) -> str:
        """The solution's name."""
        return self.solutions.get(solution_id) or solution_id

    def contact(self, contact_id: str) -> ContactDetails:
        """The contact's full name, title and department, each None where it is unknown."""
        return self.contacts.get(contact_id, (None, None, None))


def read_names(scored: ScoreTables, source: Source) -> Names:
    """Reads the names that the scores need.

    A contact or account deleted since the scoring is no reason to refuse; other data is.

    Raises:
        BadInput: not one of the accounts is in the source.
    """
    tables, scores = source.tables, scored.scores
    fields = ("contact_id", "full_name", "title", "department", "account_id")
    contacts = _rows_with_ids(tables["contacts"], fields, scored.stakeholders["contact_id"])
    wanted = pa.chunked_array(
        [*scores["account_id"].chunks, *contacts["account_id"].chunks], pa.string()
    )
    accounts = _rows_with_ids(tables["accounts"], ("account_id", "name", "tier"), wanted)
    solutions = _rows_with_ids(tables["solutions"], ("solution_id", "name"), scores["solution_id"])
    scored_accounts = pc.is_in(accounts["account_id"], value_set=pc.unique(scores["account_id"]))
    if scores.num_rows and not pc.any(scored_accounts).as_py():
        raise BadInput(
            f"report: expected the tables that the scores were made from, but none of the "
            f"{pc.count_distinct(scores['account_id']).as_py():,} accounts of the scores is in "
            f"{source.name}; give the data that `mqbg score` read"
        )
    contact_rows = list(zip(*_columns(contacts), strict=True))
    ids, account_names, tiers = _columns(accounts)
    account_name = dict(zip(ids, account_names, strict=True))
    group_fields = ("group_id", "name", "owner", "url")
    groups = _columns(_rows_with_ids(tables["buying_groups"], group_fields, scores["group_id"]))
    return Names(
        account_name,
        dict(zip(*_columns(solutions), strict=True)),
        {key: (name, title, department) for key, name, title, department, _ in contact_rows},
        {key: tier for key, tier in zip(ids, tiers, strict=True) if tier},
        {
            group_id: CrmRecord(name, owner, url if _is_link(url) else None)
            for group_id, name, owner, url in zip(*groups, strict=True)
        },
        {row[0]: account_name[row[4]] for row in contact_rows if row[4] in account_name},
    )


def _is_link(url: str | None) -> bool:
    return bool(url) and urlsplit(url or "").scheme in ("http", "https")


def _rows_with_ids(table: ir.Table, columns: tuple[str, ...], ids: pa.ChunkedArray) -> pa.Table:
    rows = table.select(*columns).to_pyarrow()
    return rows.filter(pc.is_in(rows[columns[0]], value_set=pc.unique(ids)))


def _columns(table: pa.Table) -> list[list[str]]:
    return [column.to_pylist() for column in table.columns]
