# ruff: noqa: E501 - rows of exports are read more easily on one line
"""Salesforce's export zip and Data Loader: every table by its rules."""

import zipfile
from datetime import datetime

import pytest
from mqbg.intake.importing import import_export
from mqbg.source import check_source, open_source
from small_exports import SALESFORCE, write_export

AXIS, BETA = "salesforce:Opportunity:006A1", "salesforce:Opportunity:006A3"


@pytest.fixture
def world(take_in):
    return take_in("salesforce", SALESFORCE)


def test_what_is_written_follows_the_contract(world):
    with open_source(str(world.out), strict=False) as source:
        assert not check_source(source).problems


def test_every_row_read_is_used_unplaced_or_meaningless(world):
    for table in world.report["tables"]:
        elsewhere = sum(table["unplaced"].values()) + sum(table["meaningless"].values())
        assert table["read"] == table["used"] + elsewhere, table
        assert table["used"] >= 0


def test_stage_events_are_the_changes_of_stage(world):
    events = {
        (one["group_id"], one["stage"], one["occurred_at"]) for one in world.rows("stage_events")
    }
    assert events == {
        (AXIS, "Prospecting", datetime(2024, 2, 1)),
        (AXIS, "won", datetime(2024, 3, 1, 5, 6, 7)),
        ("salesforce:Opportunity:006A2", "Prospecting", datetime(2024, 5, 1)),
        (BETA, "lost", datetime(2024, 4, 1, 23, 59, 59)),  # no history: the date of closing
    }


def test_a_meeting_with_two_people_is_two_activities(world):
    meetings = {
        one["activity_id"]: one for one in world.rows("activities") if one["kind"] == "meeting"
    }
    assert set(meetings) == {"salesforce:Event:00UA1:003A1", "salesforce:Event:00UA1:003A3"}
    assert {one["occurred_at"] for one in meetings.values()} == {datetime(2024, 2, 15, 1)}
    assert {one["duration_seconds"] for one in meetings.values()} == {3600.0}
    assert {one["group_id"] for one in meetings.values()} == {AXIS}


def test_a_task_counts_when_it_is_completed(world):
    tasks = {
        one["activity_id"]: one
        for one in world.rows("activities")
        if ":Task:" in one["activity_id"]
    }
    call, mail = tasks["salesforce:Task:00TA1"], tasks["salesforce:Task:00TA2"]
    assert (call["kind"], call["occurred_at"]) == ("call_made", datetime(2024, 2, 10, 3))
    # A date without a time is the end of its day; the contact that was merged is the one that remains.
    assert (mail["kind"], mail["occurred_at"]) == ("sales_email", datetime(2024, 2, 10, 23, 59, 59))
    assert mail["contact_id"] == "salesforce:Contact:003A1"
    assert world.account_of_rows("Task")["meaningless"] == {"task not completed": 1}


def test_a_planned_meeting_is_no_activity(world):
    assert world.account_of_rows("Event")["meaningless"] == {"planned after the export": 1}


def test_members_join_when_their_role_was_created(world):
    joined = {(one["group_id"], one["contact_id"]): one for one in world.rows("members")}
    taro = joined[AXIS, "salesforce:Contact:003A1"]
    assert (taro["joined_at"], taro["joined_is"]) == (datetime(2024, 2, 2, 1, 2, 3), "exact")
    assert (taro["role"], taro["source"], taro["probability"]) == ("decision_maker", "crm", 1.0)
    hanako = joined[AXIS, "salesforce:Contact:003A3"]
    assert (hanako["role"], hanako["source"]) == ("budget_holder", "title")


def test_a_converted_lead_and_its_contact_are_one_person(world):
    ids = {one["source_id"]: one for one in world.rows("identities") if one["table"] == "contacts"}
    assert ids["003A4"]["id"] == ids["00QA1"]["id"]
    assert ids["003A4"]["decided_by"] == "crm_conversion"


def test_companies_meet_by_their_name_without_its_form(world):
    ids = {
        one["source_id"]: one["id"]
        for one in world.rows("identities")
        if one["table"] == "accounts"
    }
    assert ids["001A1"] == ids["001A2"] == ids["アクシス株式会社"]
    assert ids["001A3"] != ids["001A1"]


def test_rows_that_point_nowhere_are_unplaced_with_a_reason(world):
    unplaced = {
        (one["source_table"], one["source_id"]): one["reason"] for one in world.rows("unplaced")
    }
    assert unplaced == {
        ("OpportunityContactRole", "00KA4"): "contact not in the export",
        ("Task", "00TA4"): "neither a contact nor a deal",
    }


@pytest.mark.slow
def test_a_deal_that_begins_after_the_others_ended_is_a_new_group(take_in):
    overlapping = SALESFORCE | {
        "Opportunity": SALESFORCE["Opportunity"].replace("2024-05-01T00", "2024-02-20T00")
    }
    assert len(take_in("salesforce", SALESFORCE).rows("buying_groups")) == 3
    assert len(take_in("salesforce", overlapping).rows("buying_groups")) == 2


@pytest.mark.slow
def test_tables_are_known_by_their_columns_not_by_their_files(take_in, world):
    shuffled = {f"extract{place}": text for place, text in enumerate(SALESFORCE.values())}
    other = take_in("auto", shuffled)
    for table in ("members", "activities", "stage_events", "contacts"):
        assert other.rows(table) == world.rows(table)


@pytest.mark.slow
def test_columns_come_in_any_case_and_order(take_in, world):
    def turned(text):
        rows = [line.split("|")[::-1] for line in text.strip().splitlines()]
        rows[0] = [name.upper() for name in rows[0]]
        return "\n".join("|".join(["extra", *row]) for row in rows)

    other = take_in("salesforce", {name: turned(text) for name, text in SALESFORCE.items()})
    for table in ("members", "activities", "stage_events", "contacts"):
        assert other.rows(table) == world.rows(table)


@pytest.mark.slow
def test_ids_of_fifteen_characters_are_those_of_eighteen(take_in):
    # 001Aa00000BcDeF is 001Aa00000BcDeFIAV: the last three say which letters are capitals.
    long, short = "001Aa00000BcDeFIAV", "001Aa00000BcDeF"
    tables = SALESFORCE | {
        "Account": SALESFORCE["Account"].replace("001A3", long),
        "Contact": SALESFORCE["Contact"].replace("001A3", short),
        "Opportunity": SALESFORCE["Opportunity"].replace("001A3", short),
        "Lead": SALESFORCE["Lead"].replace("001A3", short),
    }
    groups = {
        one["name"]: one["account_id"]
        for one in take_in("salesforce", tables).rows("buying_groups")
    }
    assert groups["Beta"] == f"salesforce:Account:{long}"


@pytest.mark.slow
def test_a_weekly_export_is_a_zip(world, tmp_path):
    src = write_export(tmp_path / "src", SALESFORCE)
    with zipfile.ZipFile(tmp_path / "WE_1.zip", "w") as packed:
        for path in sorted(src.iterdir()):
            packed.write(path, path.name)
    import_export("salesforce", str(tmp_path / "WE_1.zip"), tmp_path / "zipped")
    for name in ("members", "activities"):
        ours, theirs = (out / f"{name}.parquet" for out in (tmp_path / "zipped", world.out))
        assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.slow
def test_fivetran_names_the_same_columns_with_underscores(take_in, world):
    import re

    def snake(text):
        header, _, rest = text.strip().partition("\n")
        names = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in header.split("|")]
        lines = [f"{line}|2024-06-01 00:00:00" for line in rest.splitlines()]
        return "\n".join(["|".join([*names, "_fivetran_synced"]), *lines])

    other = take_in("salesforce", {name: snake(text) for name, text in SALESFORCE.items()})
    for table in ("members", "activities", "stage_events"):
        assert other.rows(table) == world.rows(table)


@pytest.mark.slow
def test_an_open_deal_without_a_change_is_in_its_stage_since_it_was_created(take_in):
    changes = """
Id|OpportunityId|Field|OldValue|NewValue|CreatedDate|IsDeleted
0171|006A1|StageName|Prospecting|Closed Won|2024-03-01T00:00:00.000Z|false
"""
    deals = """
Id|IsDeleted|AccountId|Name|StageName|CloseDate|CreatedDate|IsClosed|IsWon
006A1|false|001A1|One|Closed Won|2024-03-01|2024-02-01T00:00:00.000Z|true|true
006A2|false|001A1|Two|Proposal|2024-09-01|2024-05-01T00:00:00.000Z|false|false
006A3|false|001A3|Old|Proposal|2024-09-01|2024-02-11T00:00:00.000Z|false|false
"""
    world = take_in(
        "salesforce",
        {
            "Account": SALESFORCE["Account"],
            "Opportunity": deals,
            "OpportunityFieldHistory": changes,
        },
    )
    events = {(one["stage"], one["occurred_at"]) for one in world.rows("stage_events")}
    assert events == {
        ("Prospecting", datetime(2024, 2, 1)), ("won", datetime(2024, 3, 1)),
        ("Proposal", datetime(2024, 5, 1)),  # nobody knows what the older deal was in before
    }  # fmt: skip


@pytest.mark.slow
def test_a_mobile_number_says_more_of_a_person_than_the_companys(take_in):
    contacts = """
Id|AccountId|LastName|FirstName|Phone|MobilePhone|CreatedDate
003A1|001A1|田中|太郎|03-1111-2222|090-1111-2222|2024-01-05T00:00:00.000Z
003A2|001A1|鈴木|花子|03-1111-2222||2024-01-05T00:00:00.000Z
"""
    world = take_in("salesforce", {"Account": SALESFORCE["Account"], "Contact": contacts})
    assert {one["phone"] for one in world.rows("contacts")} == {"090-1111-2222", "03-1111-2222"}


@pytest.mark.slow
def test_names_without_a_column_of_their_own_are_in_the_order_of_their_language(take_in):
    leads = """
Id|Company|LastName|FirstName|Email|IsConverted|CreatedDate
00QA1|株式会社アクシス|田中|太郎|taro@axis.co.jp|false|2024-01-05T00:00:00.000Z
00QA2|Beta Inc|Smith|John|john@beta.com|false|2024-01-05T00:00:00.000Z
00QA3|Beta Inc|Miller||miller@beta.com|false|2024-01-05T00:00:00.000Z
"""
    world = take_in("salesforce", {"Account": SALESFORCE["Account"], "Lead": leads})
    assert {one["full_name"] for one in world.rows("contacts")} == {
        "田中 太郎",
        "John Smith",
        "Miller",
    }
