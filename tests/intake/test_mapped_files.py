"""Files of systems that we do not know: who is meant by an address, and how rows are named."""

import zipfile

import pytest
from mqbg.intake.importing import import_export
from mqbg.settings import settings_from_values
from mqbg.support.duckdb_sessions import open_session

CARDS = """氏名,会社名,mail,日付
田中 太郎,アクシス,taro@axis.co.jp,2024/01/05
鈴木 花子,アクシス,hanako@axis.co.jp,2024/01/06
"""
CUSTOMERS = """番号,氏名,会社名,mail,日付
007,佐藤 次郎,ベータ,jiro@beta.co.jp,2024/01/05
"""
ACTIONS = """日時,mail
2024/02/01 09:00,taro@axis.co.jp
2024/02/02 09:00,HANAKO@axis.co.jp
2024/02/03 09:00,jiro@beta.co.jp
2024/02/04 09:00,nobody@else.co.jp
"""
PERSON = {"full_name": "氏名", "company_name": "会社名", "email": "mail", "created_at": "日付"}
COLUMNS = {
    "名刺.csv": {"table": "people", "columns": PERSON},
    "顧客.csv": {"table": "people", "columns": {"id": "番号"} | PERSON},
    "行動.csv": {
        "table": "activities", "kind": "visit", "columns": {"occurred_at": "日時", "email": "mail"},
    },
}  # fmt: skip


def take_in(tmp_path, files, columns=COLUMNS, src=None, **settings):
    if src is None:
        src = tmp_path / f"src-{len(list(tmp_path.iterdir()))}"
        src.mkdir()
        for name, text in files.items():
            (src / name).write_text(text, encoding="utf-8")
    values = {"timezone": "Asia/Tokyo", "columns": columns} | settings
    out = src.with_suffix(".out")
    report = import_export(
        "files", str(src), out, settings=settings_from_values({"import": values}, "test")
    )
    return out, {one["source_table"]: one for one in report["tables"]}


def pairs(path, columns):
    with open_session() as con:
        return set(con.read_parquet(str(path)).project(columns).fetchall())


def names_of_activities(out):
    with open_session() as con:
        activities = con.read_parquet(str(out / "activities.parquet"))
        contacts = con.read_parquet(str(out / "contacts.parquet"))
        return (
            activities.join(contacts, "contact_id")
            .project("full_name, CAST(CAST(occurred_at AS DATE) AS VARCHAR) AS day")
            .order("day").fetchall()
        )  # fmt: skip


def test_an_address_names_its_own_person_in_whatever_table_that_is(tmp_path):
    out, tables = take_in(tmp_path, {"名刺.csv": CARDS, "顧客.csv": CUSTOMERS, "行動.csv": ACTIONS})
    assert names_of_activities(out) == [
        ("田中 太郎", "2024-02-01"), ("鈴木 花子", "2024-02-02"), ("佐藤 次郎", "2024-02-03"),
    ]  # fmt: skip
    assert tables["行動.csv"]["used"] == 3
    assert sum(tables["行動.csv"]["unplaced"].values()) == 1


@pytest.mark.slow
def test_rows_without_an_id_keep_theirs_when_others_come_before_them(tmp_path):
    columns = {"名刺.csv": COLUMNS["名刺.csv"]}
    header, *rows = CARDS.splitlines()
    more = "\n".join([header, "山口 恵,ガンマ,megumi@gamma.co.jp,2024/01/04", *reversed(rows)])
    before, _ = take_in(tmp_path, {"名刺.csv": CARDS}, columns)
    after, _ = take_in(tmp_path, {"名刺.csv": more}, columns)
    ids = "source_id, id"
    old = pairs(before / "import" / "identities.parquet", ids)
    assert len(old) == 3  # two people, and their company
    assert old < pairs(after / "import" / "identities.parquet", ids)


@pytest.mark.parametrize(
    ("mapped", "solution"),
    [({}, "Vault"), ({"solution": "区分"}, "Safe")],
)
def test_the_solution_is_of_the_property_unless_the_file_says_it(tmp_path, mapped, solution):
    deals = "番号,会社,確度,製品,区分,日付\n1,C1,商談,Vault,Safe,2024/02/01\n"
    columns = {
        "deals.csv": {
            "table": "deals",
            "columns": {"id": "番号", "company_id": "会社", "stage": "確度", "created_at": "日付"}
            | mapped,
        },
        "companies.csv": {"table": "companies", "columns": {"id": "番号", "name": "会社名"}},
    }
    out, _ = take_in(
        tmp_path, {"deals.csv": deals, "companies.csv": "番号,会社名\nC1,アクシス\n"}, columns,
        solution_property="製品",
    )  # fmt: skip
    assert pairs(out / "buying_groups.parquet", "solution_id") == {(solution,)}


@pytest.mark.slow
def test_settings_for_another_systems_deals_are_no_obstacle(tmp_path):
    columns = {"名刺.csv": COLUMNS["名刺.csv"]}
    out, _ = take_in(tmp_path, {"名刺.csv": CARDS}, columns, solution_property="Product__c")
    assert (out / "contacts.parquet").is_file()


@pytest.mark.slow
def test_names_in_a_zip_of_windows_are_read(tmp_path):
    path = tmp_path / "cards.zip"
    with zipfile.ZipFile(path, "w") as packed:
        # As the tools of Windows in Japan write it: Shift_JIS, without the mark of UTF-8.
        entry = zipfile.ZipInfo("xx.csv")
        packed.writestr(entry, CARDS)
    raw = path.read_bytes().replace(b"xx.csv", "表".encode("cp932") + b".csv"[:4])
    path.write_bytes(raw)
    columns = {"表.csv": COLUMNS["名刺.csv"]}
    out, _ = take_in(tmp_path, {}, columns, src=path)
    assert len(pairs(out / "contacts.parquet", "contact_id")) == 2
