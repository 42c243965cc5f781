"""Marketo and Account Engagement: activities, merges, opportunities."""

from datetime import datetime

import pytest
from small_exports import MARKETO, SALESFORCE

PARDOT = {
    "prospects": """
id|email|first_name|last_name|company|job_title|score|created_at|crm_contact_fid
21|taro@axis.co.jp|太郎|田中|株式会社アクシス|部長|10|2024-01-05T00:00:00Z|003A1
22|hanako@axis.co.jp|花子|鈴木|アクシス(株)|担当|10|2024-01-05T00:00:00Z|
""",
    "visitor_activities": """
id|type|type_name|prospect_id|created_at|email_id|form_id|details
v1|11|Email|21|2024-02-01T00:00:01Z|5||Mail
v2|4|Form|21|2024-02-02T00:00:01Z||6|Form
v3|13|Email|22|2024-02-03T00:00:01Z|5||Mail
v4|12|Email|21|2024-02-04T00:00:01Z|5||Mail
v5|20|Visit||2024-02-04T00:00:01Z|||Visit
""",
}


@pytest.mark.slow
def test_marketo_dates_memberships_by_activities_34_and_35(take_in):
    world = take_in("marketo", MARKETO)
    members = {one["contact_id"]: one for one in world.rows("members")}
    taro, hanako = members["marketo:lead:11"], members["marketo:lead:12"]
    assert (taro["joined_at"], taro["joined_is"]) == (datetime(2024, 2, 1, 0, 0, 1), "exact")
    assert (taro["role"], taro["left_at"]) == ("decision_maker", None)
    assert (hanako["role"], hanako["left_at"]) == ("champion", datetime(2024, 2, 20, 0, 0, 1))


def test_marketo_dates_stages_by_activity_36(take_in):
    events = [
        (one["stage"], one["occurred_at"])
        for one in take_in("marketo", MARKETO).rows("stage_events")
    ]
    assert sorted(events) == [
        ("Prospecting", datetime(2024, 2, 1, 0, 0, 1)),
        ("won", datetime(2024, 3, 1, 0, 0, 1)),
    ]


def test_what_a_merged_lead_did_is_the_remaining_ones(take_in):
    world = take_in("marketo", MARKETO)
    clicks = [one for one in world.rows("activities") if one["kind"] == "email_click"]
    assert [one["contact_id"] for one in clicks] == ["marketo:lead:11"]


def test_null_as_text_is_no_address(take_in):
    contacts = {
        one["contact_id"]: one["email"] for one in take_in("marketo", MARKETO).rows("contacts")
    }
    assert contacts["marketo:lead:12"] is None


def test_marketo_deliveries_and_changes_of_data_are_meaningless(take_in):
    table = take_in("marketo", MARKETO).account_of_rows("activities")
    assert table["meaningless"] == {"change of data": 1, "delivery": 1}
    assert table["read"] == table["used"] + 2


@pytest.mark.slow
def test_account_engagement_knows_clicks_forms_and_bounces(take_in):
    world = take_in("account_engagement", PARDOT)
    assert [(one["kind"], one["contact_id"]) for one in world.rows("activities")] == [
        ("email_open", "account_engagement:prospect:21"),
        ("form_submitted", "account_engagement:prospect:21"),
    ]
    table = world.account_of_rows("visitor_activity")
    assert table["meaningless"] == {"bounce": 1, "change of a subscription": 1}
    assert table["unplaced"] == {"visitor without a prospect": 1}


def test_a_prospect_is_the_contact_whose_id_it_carries(take_in):
    take_in("salesforce", SALESFORCE, into="both")
    both = take_in("account_engagement", PARDOT, into="both")
    ids = {
        (one["system"], one["source_id"]): one["id"]
        for one in both.rows("identities")
        if one["table"] == "contacts"
    }
    assert ids["account_engagement", "21"] == ids["salesforce", "003A1"]
    assert ids["account_engagement", "22"] == ids["salesforce", "003A3"]  # by address
