# ruff: noqa: E501 - rows of exports are read more easily on one line
"""HubSpot's exports: from the screen, by Fivetran, by Airbyte."""

from datetime import datetime

import pytest
from mqbg import BadInput
from small_exports import HUBSPOT_AIRBYTE, HUBSPOT_FIVETRAN, HUBSPOT_JA

TOKYO = {"timezone": "Asia/Tokyo"}


@pytest.mark.slow
def test_local_times_are_of_the_zone_in_the_settings(take_in):
    world = take_in("hubspot", HUBSPOT_JA, settings=TOKYO)
    (group,) = world.rows("buying_groups")
    assert group["created_at"] == datetime(2024, 2, 1, 0, 0)
    assert [(one["stage"], one["occurred_at"]) for one in world.rows("stage_events")] == [
        ("won", datetime(2024, 3, 31, 3, 0))
    ]


@pytest.mark.slow
def test_an_export_from_the_screen_has_no_activities_and_says_what_that_costs(take_in):
    world = take_in("hubspot", HUBSPOT_JA, settings=TOKYO)
    assert world.rows("activities") == []
    assert any("activities" in one for one in world.report["missing"])
    assert any("engagement cannot be learned" in one for one in world.report["costs"])


@pytest.mark.slow
def test_members_of_an_export_from_the_screen_join_when_both_records_are_there(take_in):
    world = take_in("hubspot", HUBSPOT_JA, settings=TOKYO)
    joined = {
        one["contact_id"]: (one["joined_at"], one["joined_is"]) for one in world.rows("members")
    }
    assert joined == {
        "hubspot:Contact:101": (datetime(2024, 2, 1, 0, 0), "inferred"),  # the deal is the later
        "hubspot:Contact:102": (datetime(2024, 3, 6, 1, 0), "inferred"),  # the contact is
    }


@pytest.mark.slow
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


@pytest.mark.slow
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


INTERNAL = {
    "contacts": HUBSPOT_JA["すべてのコンタクト"].replace(
        "レコードID|名|姓|Eメール|電話番号|役職|会社名|作成日|関連付けられた会社ID",
        "hs_object_id|firstname|lastname|email|phone|jobtitle|company|createdate|associatedcompanyid",
    ),
    "companies": HUBSPOT_JA["すべての会社"].replace(
        "レコードID|会社名|会社のドメイン名|業種|従業員数|作成日",
        "hs_object_id|name|domain|industry|numberofemployees|createdate",
    ),
    "deals": HUBSPOT_JA["すべての取引"].replace(
        "レコードID|取引名|取引ステージ|クローズ日|パイプライン|金額|作成日",
        "hs_object_id|dealname|dealstage|closedate|pipeline|amount|createdate",
    ),
}


@pytest.mark.slow
def test_an_export_from_the_screen_by_internal_names_alone_is_in_local_time(take_in):
    ours = take_in("hubspot", HUBSPOT_JA, settings=TOKYO)
    theirs = take_in("hubspot", INTERNAL, settings=TOKYO)
    for table in ("contacts", "members", "buying_groups", "stage_events"):
        assert ours.rows(table) == theirs.rows(table)


def test_an_export_from_the_screen_by_internal_names_is_refused_without_a_zone(take_in):
    with pytest.raises(BadInput, match="local times without a zone"):
        take_in("hubspot", INTERNAL)


def test_contacts_that_gave_way_are_named_with_the_time_of_the_merge(take_in):
    contacts = """
hs_object_id|firstname|lastname|email|createdate|associatedcompanyid|hs_calculated_merged_vids
101|太郎|田中|taro@axis.co.jp|2024-01-05 09:30|501|102:1704412800000;103:1704412800000
"""
    world = take_in("hubspot", INTERNAL | {"contacts": contacts}, settings=TOKYO)
    ids = {
        one["source_id"]: one["id"]
        for one in world.rows("identities")
        if one["table"] == "contacts"
    }
    assert set(ids) == {"101", "102", "103"}
    assert len(set(ids.values())) == 1


@pytest.mark.slow
def test_fivetran_dates_stages_by_the_history_of_the_property(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN)
    assert [(one["stage"], one["occurred_at"]) for one in world.rows("stage_events")] == [
        ("Qualified", datetime(2024, 2, 1, 0, 0, 0, 500000)),
        ("won", datetime(2024, 3, 1, 0, 0, 0, 500000)),
    ]


@pytest.mark.slow
def test_the_nth_contact_takes_the_nth_increase_of_their_number(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN)
    joined = sorted(one["joined_at"] for one in world.rows("members"))
    assert joined == [datetime(2024, 2, 2), datetime(2024, 2, 20)]


@pytest.mark.slow
def test_an_association_type_says_a_role_when_the_settings_do(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN, settings={"roles": {"36": "champion"}})
    roles = {one["contact_id"]: (one["role"], one["source"]) for one in world.rows("members")}
    assert roles["hubspot:contact:101"] == ("champion", "crm")
    assert roles["hubspot:contact:102"] == ("budget_holder", "title")


@pytest.mark.slow
def test_what_was_done_with_a_merged_contact_is_the_remaining_ones(take_in):
    world = take_in("hubspot", HUBSPOT_FIVETRAN)
    calls = [one for one in world.rows("activities") if one["kind"] == "call_made"]
    assert [(one["contact_id"], one["occurred_at"]) for one in calls] == [
        ("hubspot:contact:101", datetime(2024, 2, 12, 1, 2, 3))
    ]


@pytest.mark.slow
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


@pytest.mark.slow
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


DLT = {
    "companies": """
id|name|domain|createdate|is_deleted|_dlt_id
501|Axis|axis.co.jp|2024-01-01T00:00:00Z|false|a
""",
    "contacts": """
id|hs_object_id|email|firstname|lastname|createdate|is_deleted|_dlt_id
101|101|taro@axis.co.jp|太郎|田中|2024-01-05T00:00:00Z|false|b
102|102|hanako@axis.co.jp|花子|鈴木|2024-01-05T00:00:00Z|false|c
""",
    "companies__contacts": """
value|contacts_id|_dlt_id|_dlt_parent_id
501|101|d|a
501|102|e|a
""",
    "companies__deals": """
value|deals_id|_dlt_id|_dlt_parent_id
501|901|f|a
501|902|g|a
""",
    "contacts__deals": """
value|deals_id|_dlt_id|_dlt_parent_id
101|901|h|b
102|902|i|c
""",
    "deals": """
id|hs_object_id|dealname|dealstage|is_deleted|_dlt_id
901|901|Axis one|closedwon|false|j
902|902|Mistake|72000|true|k
""",
    "stages_timing_deals": """
id|hs_date_enteredx|stage|_dlt_id
901|2024-02-01T00:00:00Z|72000|l
901|2024-03-01T12:00:00Z|closedwon|m
902|2024-02-01T00:00:00Z|72000|n
""",
    "pipelines_deals__stages": """
id|label|metadata__probability|metadata__is_closed|_dlt_id
72000|提案|0.4|false|o
closedwon|成約|1.0|true|p
""",
}


@pytest.mark.slow
def test_dlt_keeps_a_row_for_each_stage_and_associations_at_the_other_side(take_in):
    world = take_in("hubspot", DLT)
    assert {one["stage"]: one["occurred_at"] for one in world.rows("stage_events")} == {
        "提案": datetime(2024, 2, 1), "won": datetime(2024, 3, 1, 12),
    }  # fmt: skip
    (group,) = world.rows(
        "buying_groups"
    )  # begun, where no date of creation is there, with its first stage
    assert (group["account_id"], group["created_at"]) == (
        "hubspot:companies:501",
        datetime(2024, 2, 1),
    )
    (member,) = world.rows("members")
    assert member["contact_id"] == "hubspot:contacts:101"


@pytest.mark.slow
def test_what_dlt_marks_as_deleted_is_deleted(take_in):
    assert take_in("hubspot", DLT).account_of_rows("deals")["meaningless"] == {"deleted": 1}


@pytest.mark.slow
def test_the_row_of_an_archived_deal_is_deleted_whoever_was_at_it(take_in):
    (header, row) = HUBSPOT_AIRBYTE["deals"].strip().splitlines()[:2]
    cells = dict(zip(header.split("|"), row.split("|"), strict=True)) | {"archived": "true"}
    tables = HUBSPOT_AIRBYTE | {"deals": f"{'|'.join(cells)}\n{'|'.join(cells.values())}"}
    deals = take_in("hubspot", tables).account_of_rows("deals")
    assert (deals["meaningless"], deals["unplaced"]) == ({"deleted": 1}, {})


@pytest.mark.parametrize(
    ("tables", "settings"),
    [
        (HUBSPOT_FIVETRAN, None),
        (HUBSPOT_JA, TOKYO),
        pytest.param(HUBSPOT_AIRBYTE, None, marks=pytest.mark.slow),
        pytest.param(DLT, None, marks=pytest.mark.slow),
    ],
)
def test_every_row_read_is_used_unplaced_or_meaningless(take_in, tables, settings):
    for table in take_in("hubspot", tables, settings=settings).report["tables"]:
        elsewhere = sum(table["unplaced"].values()) + sum(table["meaningless"].values())
        assert table["read"] == table["used"] + elsewhere, table
        assert table["used"] >= 0
