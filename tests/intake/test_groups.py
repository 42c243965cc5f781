# ruff: noqa: E501 - rows of exports are read more easily on one line
"""Groups where the CRM has no deal, deals that open again, and who might fill a missing role."""

from datetime import datetime

import pandas as pd
import pytest
from mqbg.intake.importing import import_export
from mqbg.settings import settings_from_values
from small_exports import write_export

ACCOUNTS = """
Id|IsDeleted|MasterRecordId|Name|Website|CreatedDate
001A1|false||Axis Inc|axis.com|2023-01-01T00:00:00.000Z
001A2|false||Beta Inc|beta.com|2023-01-01T00:00:00.000Z
"""
CONTACTS = """
Id|IsDeleted|AccountId|LastName|FirstName|Email|Title|CreatedDate
003A1|false|001A1|Adams|Anna|anna@axis.com|CFO|2023-01-05T00:00:00.000Z
003A2|false|001A1|Becker|Ben|ben@axis.com|Purchasing Manager|2023-01-05T00:00:00.000Z
003A3|false|001A1|Carter|Clara|clara@axis.com|Software Engineer|2023-01-05T00:00:00.000Z
003B1|false|001A2|Dubois|David|david@beta.com|CEO|2023-01-05T00:00:00.000Z
"""
OPPORTUNITIES = """
Id|IsDeleted|AccountId|Name|StageName|CloseDate|CreatedDate|IsClosed|IsWon|Pipeline__c
006B1|false|001A2|Beta|Prospecting|2024-09-01|2024-01-10T00:00:00.000Z|false|false|Vault
"""
CAMPAIGNS = """
Id|Name|Type|NumberSent
701V|Vault seminar|Seminar|0
701W|About us|Seminar|0
"""
RESPONSES = """
Id|CampaignId|ContactId|Status|HasResponded|FirstRespondedDate|CreatedDate
00v1|701V|003A1|Responded|true|2024-02-01|2024-02-01T00:00:00.000Z
00v2|701V|003A2|Responded|true|2024-02-10|2024-02-10T00:00:00.000Z
00v3|701W|003A3|Responded|true|2024-02-11|2024-02-11T00:00:00.000Z
00v4|701V|003B1|Responded|true|2024-02-11|2024-02-11T00:00:00.000Z
"""
EXPORT = {
    "Account": ACCOUNTS, "Contact": CONTACTS, "Opportunity": OPPORTUNITIES, "Campaign": CAMPAIGNS,
    "CampaignMember": RESPONSES,
}  # fmt: skip
BOTH = {"groups": "deals_and_activity"}
BEGINS = datetime(2024, 2, 10, 23, 59, 59)  # when the second contact of Axis had looked


@pytest.fixture
def world(take_in):
    return take_in("salesforce", EXPORT, settings=BOTH)


def seeded(world):
    return [one for one in world.rows("buying_groups") if ":activity_group:" in one["group_id"]]


def test_two_contacts_who_turn_to_a_solution_are_a_group_from_the_second_on(world):
    (group,) = seeded(world)
    assert (group["account_id"], group["solution_id"]) == ("salesforce:Account:001A1", "Vault")
    assert group["created_at"] == BEGINS


def test_members_of_such_a_group_join_when_it_begins_with_the_role_of_their_title(world):
    (group,) = seeded(world)
    members = {
        one["contact_id"]: one
        for one in world.rows("members")
        if one["group_id"] == group["group_id"]
    }
    assert set(members) == {
        "salesforce:Contact:003A1",
        "salesforce:Contact:003A2",
    }  # "About us" is about no solution
    assert {one["joined_at"] for one in members.values()} == {BEGINS}
    assert {one["joined_is"] for one in members.values()} == {"inferred"}
    assert members["salesforce:Contact:003A1"]["role"] == "budget_holder"


def test_an_open_deal_is_the_group_whatever_is_looked_at(world):
    assert [
        one["group_id"]
        for one in world.rows("buying_groups")
        if one["account_id"].endswith("001A2")
    ] == ["salesforce:Opportunity:006B1"]


@pytest.mark.slow
def test_without_the_setting_only_deals_are_groups(take_in):
    assert len(take_in("salesforce", EXPORT).rows("buying_groups")) == 1


@pytest.mark.slow
def test_a_deal_that_follows_belongs_to_the_group_that_activity_began(take_in):
    later = (
        OPPORTUNITIES
        + "006A1|false|001A1|Axis|Prospecting|2024-12-01|2024-03-01T00:00:00.000Z|false|false|Vault\n"
    )
    world = take_in("salesforce", EXPORT | {"Opportunity": later}, settings=BOTH)
    (group,) = [one for one in world.rows("buying_groups") if one["account_id"].endswith("001A1")]
    assert group["created_at"] == BEGINS
    assert group["name"] == "Axis"
    records = [one for one in world.rows("identities") if one["id"] == group["group_id"]]
    assert {one["source_table"] for one in records} == {"activity_group", "Opportunity"}


@pytest.mark.slow
def test_words_of_the_settings_say_what_a_content_is_about(take_in):
    world = take_in("salesforce", EXPORT, settings=BOTH | {"contents": {"About us": "Vault"}})
    (group,) = seeded(world)
    members = {
        one["contact_id"] for one in world.rows("members") if one["group_id"] == group["group_id"]
    }
    assert "salesforce:Contact:003A3" in members


@pytest.mark.slow
def test_a_role_that_the_template_wants_is_suggested_from_the_accounts_contacts(tmp_path):
    settings = settings_from_values(
        {
            "import": BOTH,
            "roles": {"technical_evaluator": {"required": 1}, "budget_holder": {"required": 1}},
        },
        "test",
    )
    import_export(
        "salesforce",
        str(write_export(tmp_path / "src", EXPORT)),
        tmp_path / "out",
        settings=settings,
    )
    rows = pd.read_parquet(tmp_path / "out" / "import" / "suggestions.parquet")
    assert list(
        zip(
            rows.group_id.str.contains("activity_group"),
            rows.role,
            rows["rank"],
            rows.contact_id,
            strict=True,
        )
    ) == [(True, "technical_evaluator", 1, "salesforce:Contact:003A3")]
    assert list(rows.reasons[0]) == [
        'title "Software Engineer" says technical_evaluator (0.97)',
        "1 activity in the last 90 days",
        "last active on 2024-02-11",
    ]


HISTORY = """
Id|OpportunityId|StageName|Amount|CreatedDate
0081|006B1|Prospecting|1|2024-01-10T00:00:00.000Z
0082|006B1|Closed Lost|1|2024-03-01T00:00:00.000Z
0083|006B1|Prospecting|1|2024-05-01T00:00:00.000Z
"""


@pytest.mark.slow
def test_a_deal_that_leaves_a_closing_stage_is_reopened(take_in):
    world = take_in("salesforce", EXPORT | {"OpportunityHistory": HISTORY})
    events = [(one["stage"], one["occurred_at"]) for one in world.rows("stage_events")]
    assert sorted(events, key=lambda one: (one[1], one[0])) == [
        ("Prospecting", datetime(2024, 1, 10)), ("lost", datetime(2024, 3, 1)),
        ("Prospecting", datetime(2024, 5, 1)), ("reopened", datetime(2024, 5, 1)),
    ]  # fmt: skip


CLOSED = """
Id|IsDeleted|AccountId|Name|StageName|CloseDate|CreatedDate|IsClosed|IsWon|Pipeline__c
006B1|false|001A2|Beta|Closed Lost|2024-03-01|2024-01-10T00:00:00.000Z|true|false|Vault
006B2|false|001A2|Beta again|Prospecting|2024-12-01|2024-06-01T00:00:00.000Z|false|false|Vault
"""
OPENED_AGAIN = """0083|006B1|Prospecting|1|2024-05-01T00:00:00.000Z
0084|006B1|Closed Lost|1|2024-07-01T00:00:00.000Z"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corrected", "groups"),
    [
        ("", 2),
        ("0083|006B1|Closed Lost|9|2024-07-01T00:00:00.000Z", 2),  # the amount, after it closed
        (OPENED_AGAIN, 1),
    ],
)
def test_a_deal_ends_when_it_was_closed_last_and_not_when_it_was_corrected_later(
    take_in, corrected, groups
):
    history = "\n".join((*HISTORY.strip().splitlines()[:3], corrected))
    world = take_in("salesforce", EXPORT | {"Opportunity": CLOSED, "OpportunityHistory": history})
    assert len(world.rows("buying_groups")) == groups
