# ruff: noqa: E501 - rows of exports are read more easily on one line
"""HubSpot's exports: from the screen, by Fivetran, by Airbyte."""

from datetime import datetime

import pytest
from small_exports import HUBSPOT_AIRBYTE, HUBSPOT_FIVETRAN, HUBSPOT_JA

TOKYO = {"timezone": "Asia/Tokyo"}


def test_local_times_are_of_the_zone_in_the_settings(take_in):
    world = take_in("hubspot", HUBSPOT_JA, settings=TOKYO)
    (group,) = world.rows("buying_groups")
    assert group["created_at"] == datetime(2024, 2, 1, 0, 0)
    assert [(one["stage"], one["occurred_at"]) for one in world.rows("stage_events")] == [
        ("won", datetime(2024, 3, 31, 3, 0))
    ]


def test_an_export_from_the_screen_has_no_activities_and_says_what_that_costs(take_in):
    world = take_in("hubspot", HUBSPOT_JA, settings=TOKYO)
    assert world.rows("activities") == []
    assert any("activities" in one for one in world.report["missing"])
    assert any("engagement cannot be learned" in one for one in world.report["costs"])


def test_members_of_an_export_from_the_screen_join_when_both_records_are_there(take_in):
    world = take_in("hubspot", HUBSPOT_JA, settings=TOKYO)
    joined = {
        one["contact_id"]: (one["joined_at"], one["joined_is"]) for one in world.rows("members")
    }
    assert joined == {
        "hubspot:Contact:101": (datetime(2024, 2, 1, 0, 0), "inferred"),  # the deal is the later
        "hubspot:Contact:102": (datetime(2024, 3, 6, 1, 0), "inferred"),  # the contact is
    }


@pytest.mark.parametrize(
    ("rule", "joined"),
    [
        ("early", {datetime(2024, 2, 1), datetime(2024, 3, 6, 1)}),
        ("late", {datetime(2024, 3, 31, 3)}),
        ("exclude", set()),
    ],
)
def test_inferred_joins_may_be_late_or_left_out(take_in, rule, joined):
    settings = TOKYO | {"inferred_joins": rule}
    world = take_in("hubspot", HUBSPOT_JA, settings=settings)
    assert {one["joined_at"] for one in world.rows("members")} == joined


def test_english_labels_and_internal_names_say_the_same(take_in):
    english = {
        "contacts": HUBSPOT_JA["すべてのコンタクト"].replace(
            "レコードID|名|姓|Eメール|電話番号|役職|会社名|作成日|関連付けられた会社ID",
            "Record ID|First Name|Last Name|Email|Phone Number|Job Title|Company Name|Create Date|Associated Company IDs",
        ),
        "companies": HUBSPOT_JA["すべての会社"].replace(
            "レコードID|会社名|会社のドメイン名|業種|従業員数|作成日",
            "Record ID|Company name|Company Domain Name|Industry|Number of Employees|Create Date",
        ),
        "deals": HUBSPOT_JA["すべての取引"].replace(
            "レコードID|取引名|取引ステージ|クローズ日|パイプライン|金額|作成日",
            "hs_object_id|dealname|dealstage|closedate|pipeline|amount|createdate",
        ),
    }
    ours = take_in("hubspot", HUBSPOT_JA, settings=TOKYO)
    theirs = take_in("hubspot", english, settings=TOKYO)
    for table in ("accounts", "contacts", "members", "buying_groups", "stage_events"):
        assert ours.rows(table) == theirs.rows(table)


def test_fivetran_dates_stages_by_the_history_of_the_property(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN)
    assert [(one["stage"], one["occurred_at"]) for one in world.rows("stage_events")] == [
        ("Qualified", datetime(2024, 2, 1, 0, 0, 0, 500000)),
        ("won", datetime(2024, 3, 1, 0, 0, 0, 500000)),
    ]


def test_the_nth_contact_takes_the_nth_increase_of_their_number(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN)
    joined = sorted(one["joined_at"] for one in world.rows("members"))
    assert joined == [datetime(2024, 2, 2), datetime(2024, 2, 20)]


def test_an_association_type_says_a_role_when_the_settings_do(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN, settings={"roles": {"36": "champion"}})
    roles = {one["contact_id"]: (one["role"], one["source"]) for one in world.rows("members")}
    assert roles["hubspot:contact:101"] == ("champion", "crm")
    assert roles["hubspot:contact:102"] == ("budget_holder", "title")


def test_what_was_done_with_a_merged_contact_is_the_remaining_ones(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN)
    calls = [one for one in world.rows("activities") if one["kind"] == "call_made"]
    assert [(one["contact_id"], one["occurred_at"]) for one in calls] == [
        ("hubspot:contact:101", datetime(2024, 2, 12, 1, 2, 3))
    ]


def test_older_engagements_have_their_time_in_start_time(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN)
    meetings = [one for one in world.rows("activities") if one["kind"] == "meeting"]
    assert {one["occurred_at"] for one in meetings} == {datetime(2024, 2, 14, 1)}
    assert {one["contact_id"] for one in meetings} == {"hubspot:contact:101", "hubspot:contact:102"}


def test_deliveries_and_opens_by_machines_are_no_activities(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN)
    assert [
        one["activity_id"] for one in world.rows("activities") if one["channel"] == "email"
    ] == ["hubspot:email_event:e1"]
    assert world.account_of_rows("email_event")["meaningless"] == {
        "delivery": 1,
        "opened by a machine": 1,
    }


def test_airbyte_gives_properties_as_json_and_times_as_milliseconds(take_in):
    world = take_in("hubspot", HUBSPOT_AIRBYTE)
    assert {one["full_name"] for one in world.rows("contacts")} == {"田中 太郎", "鈴木 花子"}
    assert [(one["stage"], one["occurred_at"]) for one in world.rows("stage_events")] == [
        ("appointmentscheduled", datetime(2024, 2, 1, 0, 0, 0, 123000)),
        ("won", datetime(2024, 3, 1, 12, 0)),
    ]
    (call,) = world.rows("activities")
    assert (call["contact_id"], call["group_id"], call["duration_seconds"]) == (
        "hubspot:contacts:101", "hubspot:deals:901", 60.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tables", "settings"), [(HUBSPOT_FIVETRAN, None), (HUBSPOT_AIRBYTE, None), (HUBSPOT_JA, TOKYO)]
)
def test_every_row_read_is_used_unplaced_or_meaningless(take_in, tables, settings):
    for table in take_in("hubspot", tables, settings=settings).report["tables"]:
        elsewhere = sum(table["unplaced"].values()) + sum(table["meaningless"].values())
        assert table["read"] == table["used"] + elsewhere, table
        assert table["used"] >= 0
