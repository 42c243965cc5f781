# ruff: noqa: E501 - rows of exports are read more easily on one line
"""What holds of every import: stable ids, decisions, any order of calls, refusals."""

import csv
import zipfile
from datetime import datetime

import duckdb
import pytest
from mqbg.commands.app import app
from mqbg.contract import BadInput
from mqbg.intake.importing import import_export
from mqbg.intake.reading import read_raw
from mqbg.settings import load_settings, settings_from_values
from small_exports import HUBSPOT_JA, MARKETO, SALESFORCE, SHARED, write_export
from typer.testing import CliRunner

TOKYO = {"timezone": "Asia/Tokyo"}


def bytes_of(world):
    return {
        str(path.relative_to(world.out)): path.read_bytes()
        for path in sorted(world.out.rglob("*"))
        if path.is_file()
    }


def contact_ids(world):
    return {
        (one["system"], one["source_table"], one["source_id"]): one["id"]
        for one in world.rows("identities")
    }


@pytest.mark.slow
def test_the_same_inputs_in_any_order_of_calls_give_the_same_bytes(take_in):
    take_in("salesforce", SALESFORCE, into="one")
    one = take_in("marketo", MARKETO, into="one")
    take_in("marketo", MARKETO, into="other")
    other = take_in("salesforce", SALESFORCE, into="other")
    assert bytes_of(one) == bytes_of(other)


@pytest.mark.slow
def test_the_same_system_again_replaces_it(take_in):
    take_in("salesforce", SALESFORCE, into="same")
    fewer = SALESFORCE | {"Task": SALESFORCE["Task"].strip().splitlines()[0]}
    again = take_in("salesforce", fewer, into="same")
    assert not [one for one in again.rows("activities") if ":Task:" in one["activity_id"]]


@pytest.mark.slow
def test_a_record_keeps_its_id_when_others_come(take_in):
    before = contact_ids(take_in("salesforce", SALESFORCE, into="grows"))
    older = (
        SALESFORCE["Contact"]
        + "003A0|false||001A3|Smith|John|John Smith|john@beta.com|CEO||2020-01-01T00:00:00.000Z|2024-07-01T00:00:00.000Z\n"
    )
    after = contact_ids(take_in("salesforce", SALESFORCE | {"Contact": older}, into="grows"))
    assert {key: after[key] for key in before} == before
    assert after["salesforce", "Contact", "003A0"] == before["salesforce", "Contact", "003A4"]


@pytest.mark.slow
def test_a_merge_undone_in_the_crm_is_undone(take_in):
    merged = contact_ids(take_in("salesforce", SALESFORCE, into="undone"))
    undone = SALESFORCE | {
        "Contact": SALESFORCE["Contact"].replace("003A2|true|003A1", "003A2|false|")
    }
    undone["Contact"] = undone["Contact"].replace(
        "田中|太郎|田中 太郎|||", "山本|次郎|山本 次郎|||"
    )
    after = contact_ids(take_in("salesforce", undone, into="undone"))
    assert merged["salesforce", "Contact", "003A2"] == "salesforce:Contact:003A1"
    assert after["salesforce", "Contact", "003A2"] == "salesforce:Contact:003A2"


@pytest.mark.slow
def test_a_member_that_an_earlier_import_lacked_was_first_seen_by_the_later(take_in):
    earlier = HUBSPOT_JA | {"すべての取引": HUBSPOT_JA["すべての取引"].replace("101;102", "101")}
    take_in("hubspot", earlier, into="seen", settings=TOKYO, as_of=datetime(2024, 5, 1))
    world = take_in("hubspot", HUBSPOT_JA, into="seen", settings=TOKYO, as_of=datetime(2024, 6, 1))
    joined = {
        one["contact_id"]: (one["joined_at"], one["joined_is"]) for one in world.rows("members")
    }
    assert joined["hubspot:Contact:102"] == (datetime(2024, 6, 1), "first_seen")
    assert joined["hubspot:Contact:101"][1] == "inferred"


def answer(world, subject, left, decision, right=""):
    with (world.out / "import" / "review.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow([subject, left, right, decision, "", "", "", ""])


@pytest.mark.slow
def test_decisions_written_into_the_review_win_over_the_crm_and_survive_every_later_import(take_in):
    world = take_in("salesforce", SALESFORCE, into="decided")
    answer(world, "title", "経理部長", "champion")
    answer(world, "pair", "salesforce:Contact:003A1", "yes", "salesforce:Contact:003A3")
    answer(world, "member", "salesforce:Opportunity:006A1", "user", "salesforce:Contact:003A1")
    take_in("salesforce", SALESFORCE, into="decided")
    again = take_in("salesforce", SALESFORCE, into="decided")
    ids = contact_ids(again)
    assert ids["salesforce", "Contact", "003A1"] == ids["salesforce", "Contact", "003A3"]
    with (again.out / "import" / "decisions.csv").open(encoding="utf-8-sig") as file:
        subjects = [row["subject"] for row in csv.DictReader(file)]
    assert subjects == ["member", "pair", "title"]
    roles = {
        (one["group_id"], one["contact_id"]): (one["role"], one["source"])
        for one in again.rows("members")
    }
    member = ids["salesforce", "Contact", "003A1"]
    assert roles["salesforce:Opportunity:006A1", member] == ("user", "person")


@pytest.mark.slow
def test_our_own_people_are_no_members_and_opponents_are_blockers(take_in):
    settings = {"own_domains": ["beta.com"], "roles": {"Decision Maker": "negative"}}
    rows = take_in("salesforce", SALESFORCE, settings=settings).rows("members")
    assert {one["group_id"] for one in rows} == {"salesforce:Opportunity:006A1"}
    assert {one["role"] for one in rows} == {"blocker", "budget_holder"}


@pytest.mark.slow
def test_stages_solutions_and_kinds_are_named_by_the_settings(take_in):
    settings = {"stages": {"Prospecting": "opportunity"}, "kinds": {"meeting": "visit"}, "solution_property": "OwnerId",
                "solutions": {"005A1": "Cloud"}}  # fmt: skip
    world = take_in("salesforce", SALESFORCE, settings=settings)
    assert {one["stage"] for one in world.rows("stage_events")} == {"opportunity", "won", "lost"}
    assert "visit" in {one["kind"] for one in world.rows("activities")}
    assert world.rows("solutions") == [{"solution_id": "Cloud", "name": "Cloud"}]


def refusal(src, kind="salesforce", tmp=None, **settings):
    with pytest.raises(BadInput) as caught:
        import_export(
            kind, str(src), tmp / "out", settings=settings_from_values({"import": settings}, "test")
        )
    assert not (tmp / "out").exists()
    return str(caught.value)


def test_a_local_time_without_a_zone_is_refused(tmp_path):
    assert "[import] timezone" in refusal(
        write_export(tmp_path / "src", HUBSPOT_JA), "hubspot", tmp_path
    )


def test_an_export_of_another_system_is_refused_with_its_name(tmp_path):
    src = write_export(tmp_path / "src", SALESFORCE)
    assert "mqbg import salesforce" in refusal(src, "marketo", tmp_path)


def test_a_zip_with_a_password_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("Account.csv", "Id,Name\n")
    raw = bytearray((tmp_path / "x.zip").read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption
    (tmp_path / "x.zip").write_bytes(bytes(raw))
    assert "password" in refusal(tmp_path / "x.zip", "salesforce", tmp_path)


def test_a_workbook_with_a_password_is_refused(tmp_path):
    (tmp_path / "x.xlsx").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
    assert "password" in refusal(tmp_path / "x.xlsx", "hubspot", tmp_path, **TOKYO)


@pytest.mark.parametrize(
    ("named", "tables", "system"),
    [("hubspot", SALESFORCE, "salesforce"), ("salesforce", HUBSPOT_JA, "hubspot"),
     ("hubspot", MARKETO, "marketo"), ("salesforce", MARKETO, "marketo"),
     ("marketo", SALESFORCE, "salesforce"), ("account_engagement", HUBSPOT_JA, "hubspot")],
)  # fmt: skip
def test_another_systems_export_than_named_is_refused_with_the_name_of_its_own(
    tmp_path, named, tables, system
):
    src = write_export(tmp_path / "src", tables)
    assert f"mqbg import {system}" in refusal(src, named, tmp_path, **TOKYO)


@pytest.mark.parametrize(("kind", "word"), [("siebel", "KIND"), ("files", "[import.columns]")])
def test_what_is_not_known_is_refused(tmp_path, kind, word):
    assert word in refusal(write_export(tmp_path / "src", SALESFORCE), kind, tmp_path)


def test_a_column_of_the_deals_that_is_not_there_is_refused(tmp_path):
    src = write_export(tmp_path / "src", SALESFORCE)
    assert "solution_property" in refusal(
        src, "salesforce", tmp_path, solution_property="Product__c"
    )


def test_files_of_an_unknown_system_are_mapped_by_the_settings(tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    (src / "名刺.csv").write_bytes(
        "名刺データ\n出力日,2024/06/01\n\n会社名,氏名,役職,ｅ－ｍａｉｌ,名刺交換日\n"
        "株式会社アクシス,田中 太郎,部長,taro@axis.co.jp,2024/01/05\n".encode("cp932")
    )
    (src / "案件.tsv").write_bytes(
        "番号\t会社\t確度\t作成\n1\tC1\t受注\t2024/02/01 10:00\n".encode("cp932")
    )
    (src / "顧客.tsv").write_text("番号\t会社名\nC1\tアクシス(株)\n", encoding="utf-8")
    (src / "行動.csv").write_text(
        "日時,メール\n2024/02/03 09:00,taro@axis.co.jp\n", encoding="utf-8"
    )
    columns = {
        "名刺.csv": {"table": "people", "columns": {"full_name": "氏名", "company_name": "会社名", "title": "役職",
                                                     "email": "e-mail", "created_at": "名刺交換日"}},
        "顧客.tsv": {"table": "companies", "columns": {"id": "番号", "name": "会社名"}},
        "案件.tsv": {"table": "deals", "columns": {"id": "番号", "company_id": "会社", "stage": "確度", "created_at": "作成"}},
        "行動.csv": {"table": "activities", "kind": "visit", "columns": {"occurred_at": "日時", "email": "メール"}},
    }  # fmt: skip
    settings = settings_from_values({"import": TOKYO | {"columns": columns}}, "test")
    report = import_export("files", str(src), tmp_path / "out", settings=settings)
    assert report["counts"]["accounts"] == 1  # one company, in two ways of writing
    assert report["counts"]["buying_groups"] == 1
    assert report["counts"]["activities"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("hubspot", "hubspot"),
        ("salesforce", "salesforce"),
        ("marketo", "marketo"),
        ("pardot", "account_engagement"),
    ],
)
def test_tables_of_connectors_are_read_and_form_no_group_where_nothing_joins(
    tmp_path, folder, kind
):
    src = SHARED / "connector_seeds" / folder
    if not src.exists():
        pytest.skip("the connectors' tables are not here")
    report = import_export("auto", str(src), tmp_path / "out")
    assert report["counts"]["buying_groups"] == 0
    for table in report["tables"]:
        assert table["read"] == table["used"] + sum(table["unplaced"].values()) + sum(
            table["meaningless"].values()
        )
        assert table["used"] >= 0
    assert any("point nowhere" in one for one in report["missing"]) or kind == "marketo"


def test_the_command_imports_and_says_what_comes_next(tmp_path):
    src = write_export(tmp_path / "src", SALESFORCE)
    done = CliRunner().invoke(app, ["import", "auto", str(src), str(tmp_path / "out")])
    assert done.exit_code == 0
    assert "Next: mqbg check" in done.stdout
    assert (tmp_path / "out" / "import" / "report.md").is_file()


@pytest.mark.slow
def test_init_writes_settings_that_can_be_read_and_names_what_costs(tmp_path, monkeypatch):
    src = write_export(tmp_path / "src", SALESFORCE)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", str(src), "--yes"])
    assert done.exit_code == 0
    assert "Next: mqbg check imported" in done.stdout
    settings = load_settings(tmp_path / "mqbg.toml")
    assert (settings.target.stage, settings.target.closed_stages) == ("won", ("lost",))
    assert settings.roles["decision_maker"].required == 1
    assert (tmp_path / "imported" / "members.parquet").is_file()
    again = CliRunner().invoke(app, ["init", str(src), "--yes"])
    assert isinstance(again.exception, BadInput)


def test_a_database_that_does_not_open_is_refused_without_its_password(tmp_path):
    url = "postgresql://somebody:hushhush@127.0.0.1:9/crm"
    with pytest.raises(BadInput, match="expected a database that opens") as refused:
        read_raw(duckdb.connect(), url, tmp_path)
    assert "hushhush" not in str(refused.value)
