"""Exports of a simulated world in every shape, imported and compared with the truth beside them."""

import pandas as pd
import pytest
from exports_beside_truth import DATES_JOINS, KINDS, NO_ACTIVITIES, Compared
from mqbg.simulate import simulate

EVERY_RUN = ("salesforce_export", "hubspot_fivetran")


@pytest.fixture(scope="session")
def simulated_world(tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "world"
    simulate(out, groups=20, seed=3, exports=tuple(KINDS))
    return out


@pytest.fixture(scope="session")
def comparisons():
    return {}


@pytest.fixture(
    params=[
        shape if shape in EVERY_RUN else pytest.param(shape, marks=pytest.mark.slow)
        for shape in KINDS
    ]
)
def compared(request, simulated_world, comparisons, tmp_path_factory):
    shape = request.param
    if shape not in comparisons:
        out = tmp_path_factory.mktemp("imported") / shape
        comparisons[shape] = Compared(simulated_world, shape, out)
    return comparisons[shape]


def test_every_row_read_is_used_unplaced_or_meaningless(compared):
    for table in compared.report["tables"]:
        elsewhere = sum(table["unplaced"].values()) + sum(table["meaningless"].values())
        assert table["read"] == table["used"] + elsewhere, table
        assert not table["unplaced"], table  # in a whole export every row has its place


def test_activities_are_there_to_the_second_with_their_contact_and_deal(compared):
    rows = compared.activities()
    if compared.shape in NO_ACTIVITIES:
        assert len(rows) == len(compared.table("activities")) == 0
        return
    assert (rows.occurred_at == rows.occurred_at_true).all()
    assert ((rows.contact_id == rows.expected_contact) | rows.contact.isna()).mean() >= 0.99
    assert rows.contact_id[rows.contact.isna()].isna().all()
    groups = rows.deal.map(compared.groups())
    assert (groups[groups.notna()] == rows.group_id[groups.notna()]).all()
    assert len(compared.table("activities")) == len(rows)


def test_stage_events_are_there_to_the_second(compared):
    assert compared.stage_events_missed() == []


def test_every_deal_is_in_a_group_and_every_contact_of_one_a_member(compared):
    assert set(compared.truth["deals"].source_id) == set(compared.groups().index)
    members = compared.members()
    assert members.joined_at.notna().all()
    assert len(compared.table("members")) == len(members)


def test_members_join_when_the_source_says_and_not_before_where_it_only_counts_them(compared):
    members = compared.members()
    if compared.shape in DATES_JOINS:
        assert (members.joined_at == members.joined_at_true).all()
        assert set(members.joined_is) == {"exact"}
    else:
        assert set(members.joined_is) == {"inferred"}
    if compared.shape in ("hubspot_fivetran", "hubspot_airbyte"):
        assert (members.joined_at >= members.joined_at_true).mean() >= 0.99


def test_records_of_one_person_and_of_one_company_meet_and_no_others(compared):
    for table in ("contacts", "accounts"):
        precision, recall = compared.pairs(table)
        if len(compared.ids(table)):
            assert precision >= 0.997 or precision == 0 == recall, table
            assert recall >= 0.93 or precision == 0 == recall, table


def test_recorded_roles_are_those_of_the_members(compared):
    if compared.shape.startswith(("salesforce", "marketo")):
        recorded = compared.members()[lambda rows: rows.recorded]
        assert (
            recorded.role == recorded.role_true
        ).mean() >= 0.97  # of two deals in one group, one


@pytest.mark.slow
def test_systems_that_know_the_same_people_and_deals_make_one_world(simulated_world, tmp_path):
    out = tmp_path / "out"
    systems = {"salesforce_export": "salesforce", "account_engagement": "account_engagement",
               "marketo_bulk": "marketo"}  # fmt: skip
    for shape in systems:
        compared = Compared(simulated_world, shape, out)
    for table in ("contacts", "accounts"):
        rows = pd.concat(
            [
                pd.read_parquet(
                    simulated_world / "truth" / "exports" / shape / "identities.parquet"
                ).assign(system=system)
                for shape, system in systems.items()
            ]
        )
        rows = rows[rows.table == table].rename(columns={"id": "true"}).merge(
            compared.identities, on=["table", "system", "source_table", "source_id"]
        )  # fmt: skip
        assert (rows.groupby("true").id.nunique() == 1).all(), table
        assert (rows.groupby("id").true.nunique() == 1).all(), table
    deals = pd.read_parquet(simulated_world / "buying_groups.parquet")
    assert len(compared.table("buying_groups")) == len(deals)
