"""Exports of a simulated world in every shape, imported and compared with the truth beside them."""

from datetime import datetime

import pandas as pd
import pytest
from exports_beside_truth import DATES_JOINS, KINDS, NO_ACTIVITIES, Compared
from mqbg.intake.importing import import_export
from mqbg.settings import settings_from_values
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


def require_one_world(world, systems, identities):
    """Every person and company of the truth has one id, whichever system's record it is."""
    for table in ("contacts", "accounts"):
        rows = pd.concat(
            [
                pd.read_parquet(world / "truth" / "exports" / shape / "identities.parquet").assign(
                    system=system
                )
                for shape, system in systems.items()
            ]
        )
        rows = rows[rows.table == table].rename(columns={"id": "true"})
        rows = rows.merge(identities, on=["table", "system", "source_table", "source_id"])
        assert (rows.groupby("true").id.nunique() == 1).all(), table
        assert (rows.groupby("id").true.nunique() == 1).all(), table


@pytest.mark.slow
def test_systems_that_know_the_same_people_and_deals_make_one_world(simulated_world, tmp_path):
    out = tmp_path / "out"
    systems = {"salesforce_export": "salesforce", "account_engagement": "account_engagement",
               "marketo_bulk": "marketo"}  # fmt: skip
    for shape in systems:
        compared = Compared(simulated_world, shape, out)
    require_one_world(simulated_world, systems, compared.identities)
    deals = pd.read_parquet(simulated_world / "buying_groups.parquet")
    assert len(compared.table("buying_groups")) == len(deals)


def without_opportunities(marketo, folder):
    """Marketo's extracts where it is not tied to a CRM: nobody is added to an opportunity."""
    folder.mkdir()
    for file in sorted(marketo.iterdir()):
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)
        if "activityTypeId" in rows:
            rows = rows[~rows.activityTypeId.isin(["34", "35", "36"])]
        rows.to_csv(folder / file.name, index=False)
    return folder


@pytest.mark.slow
def test_activities_of_marketo_are_done_by_members_of_hubspot_s_deals(simulated_world, tmp_path):
    out = tmp_path / "out"
    hubspot = Compared(simulated_world, "hubspot_ui_ja", out)
    deals, members = len(hubspot.table("buying_groups")), len(hubspot.table("members"))
    marketo = without_opportunities(
        simulated_world / "exports" / "marketo_bulk", tmp_path / "marketo"
    )
    import_export("marketo", str(marketo), out)
    both = Compared.of(simulated_world, "marketo_bulk", out)
    systems = {"hubspot_ui_ja": "hubspot", "marketo_bulk": "marketo"}
    require_one_world(simulated_world, systems, both.identities)
    assert (len(both.table("buying_groups")), len(both.table("members"))) == (deals, members)
    done = both.activities()
    assert (done.occurred_at == done.occurred_at_true).all()
    assert (done.contact_id == done.expected_contact).mean() >= 0.99
    in_deals = done.contact.isin(hubspot.truth["members"].contact)
    assert in_deals.any()
    assert done.contact_id[in_deals].isin(both.table("members").contact_id).mean() >= 0.99


CARDS = {
    "timezone": "Asia/Tokyo",
    "columns": {
        "sansan.csv": {
            "table": "people",
            "columns": {"full_name": "氏名", "company_name": "会社名", "title": "役職",
                        "email": "e-mail", "created_at": "名刺交換日"},
        },
        "satori.csv": {
            "table": "activities", "kind": "web_visit",
            "columns": {"occurred_at": "日時", "email": "メールアドレス"},
        },
    },
}  # fmt: skip


def cards_and_visits(world, folder):
    """What sales met and the web saw of the people who have an address, in files of our own."""
    folder.mkdir()
    contacts = pd.read_parquet(world / "exports" / "hubspot_fivetran" / "contact.parquet")
    known = contacts[contacts.property_email.notna()].reset_index(drop=True)
    cards = pd.DataFrame(
        {"氏名": known.property_lastname + " " + known.property_firstname, "会社名": "",
         "役職": known.property_jobtitle, "e-mail": known.property_email.str.upper(),
         "名刺交換日": "2025/03/01"}
    )  # fmt: skip
    times = pd.Timestamp("2025-04-01 09:00:30") + pd.to_timedelta(known.index, unit="h")
    visits = pd.DataFrame(
        {"日時": times.strftime("%Y/%m/%d %H:%M:%S"), "メールアドレス": known.property_email}
    )
    cards.to_csv(folder / "sansan.csv", index=False, encoding="cp932", errors="replace")
    visits.to_csv(folder / "satori.csv", index=False, sep="\t")
    return known, times - pd.Timedelta(hours=9)


@pytest.mark.slow
def test_cards_and_visits_of_files_are_those_of_the_crm_s_people(simulated_world, tmp_path):
    out = tmp_path / "out"
    for shape in ("account_engagement", "salesforce_export"):
        compared = Compared(simulated_world, shape, out)
    groups, before = len(compared.table("buying_groups")), compared.ids("contacts")
    known, seen_at = cards_and_visits(simulated_world, tmp_path / "files")
    import_export(
        "files", str(tmp_path / "files"), out, as_of=datetime(2026, 3, 1),
        settings=settings_from_values({"import": CARDS}, "test"),
    )  # fmt: skip
    after = Compared.of(simulated_world, "salesforce_export", out)
    assert len(after.table("buying_groups")) == groups
    record = ["source_table", "source_id"]
    both = before.merge(after.ids("contacts"), on=record)
    assert len(both) == len(before)
    assert list(both.id_x) == list(both.id_y)  # the CRM's records keep their ids
    truth = pd.read_parquet(
        simulated_world / "truth" / "exports" / "hubspot_fivetran" / "identities.parquet"
    )
    true = truth[truth.table == "contacts"].set_index("source_id").id
    person = after.ids("contacts").drop_duplicates("true").set_index("true").id
    expected = known.id.astype(str).map(true).map(person)

    cards = after.identities[after.identities.source_table == "sansan.csv"]
    assert set(cards[cards.table == "contacts"].id) == set(expected)
    visits = after.table("activities")[lambda rows: rows.activity_id.str.startswith("files:satori")]
    assert sorted(zip(visits.occurred_at, visits.contact_id, strict=True)) == sorted(
        zip(seen_at, expected, strict=True)
    )
