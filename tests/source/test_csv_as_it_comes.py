"""Files as exports write them: separators, encodings, line ends, headers, parts, workbooks."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mqbg.contract import BadInput
from mqbg.settings import Settings, SourceSettings
from mqbg.source.checks import check_source
from mqbg.source.csv_files import open_csv
from mqbg.source.encodings import EncodingFault, find_encoding
from mqbg.source.staging import open_source
from mqbg.source.table_files import find_table_files

SOUND: Mapping[str, str] = {
    "accounts": "account_id,name\na1,Acme\n",
    "contacts": "contact_id,account_id\nc1,a1\n",
    "solutions": "solution_id,name\ns1,Suite\n",
    "buying_groups": "group_id,account_id,solution_id,created_at\ng1,a1,s1,2024-01-01\n",
    "members": "group_id,contact_id,role,joined_at\ng1,c1,buyer,2024-01-02\n",
    "activities": "activity_id,contact_id,kind,occurred_at\nx1,c1,visit,2024-01-03\n",
    "stage_events": "group_id,stage,occurred_at\ng1,opportunity,2024-03-01\n",
}
TWO = "activity_id,contact_id,kind,occurred_at\nx1,c1,visit,2024-01-03\nx2,c1,visit,2024-01-04\n"


def folder_with(folder: Path, files: Mapping[str, str | bytes | pa.Table]) -> Path:
    """The sound tables as CSV; a table that `files` names in any spelling is left to it."""
    folder.mkdir()
    named = {name.lower() for name in files}
    for table, text in SOUND.items():
        if not any(name.startswith(table) for name in named):
            (folder / f"{table}.csv").write_text(text, encoding="utf-8")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def column(data: Path, table: str, name: str, settings: Settings | None = None) -> list[Any]:
    with open_source(data, threads=1, settings=settings) as source:
        rows = source.tables[table].order_by(name)
        return [row[name] for row in source.backend.to_pyarrow(rows).to_pylist()]


def refusal(data: Path, settings: Settings | None = None) -> str:
    with (
        pytest.raises(BadInput) as caught,
        open_source(data, threads=1, settings=settings),
    ):
        pass
    return str(caught.value)


def notes(data: Path) -> tuple[str, ...]:
    with open_source(data, threads=1) as source:
        report = check_source(source)
        assert report.problems == ()
        return report.warnings


# ---------------------------------------------------------------- separators


def header_of(folder: Path, content: str | bytes) -> tuple[str, tuple[str, ...]]:
    path = folder / "one.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    dialect = open_csv(path).dialect
    return dialect.delimiter, dialect.header


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_fields_may_be_separated_by_any_of_the_usual_characters(tmp_path, delimiter):
    text = f'account_id{delimiter}name\na1{delimiter}"Acme, Inc.; Tokyo"\n'
    assert header_of(tmp_path, text) == (delimiter, ("account_id", "name"))


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;"])
def test_a_first_line_that_names_the_separator_is_no_header(tmp_path, first):
    text = f"{first}\r\naccount_id;name\r\na1;Acme\r\n"
    assert header_of(tmp_path, text) == (";", ("account_id", "name"))


def test_tables_of_one_source_may_be_separated_differently(tmp_path):
    data = folder_with(
        tmp_path / "d",
        {
            "accounts.csv": 'sep=;\r\naccount_id;name\r\na1;"Acme, Inc."\r\n',
            "contacts.csv": "contact_id\taccount_id\nc1\ta1\n",
            "solutions.csv": "solution_id|name\ns1|Suite;1,2\n",
        },
    )
    assert column(data, "accounts", "name") == ["Acme, Inc."]
    assert column(data, "solutions", "name") == ["Suite;1,2"]


def test_a_separator_that_nobody_expects_can_be_set(tmp_path):
    data = folder_with(tmp_path / "d", {"accounts.csv": "account_id^name\na1^Acme\n"})
    for name, text in SOUND.items():
        (data / f"{name}.csv").write_text(text.replace(",", "^"), encoding="utf-8")
    settings = Settings(source=SourceSettings(delimiter="^"))
    assert column(data, "accounts", "name", settings) == ["Acme"]


# ---------------------------------------------------------------- encodings

NAME = "株式会社山田製作所とソニー"


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "iso2022_jp", "utf-16-le", "utf-16-be"])
def test_an_encoding_of_japan_is_found(tmp_path, encoding):
    path = tmp_path / "one.csv"
    path.write_bytes(f"account_id,name\na1,{NAME}\n".encode(encoding))
    found = find_encoding(path)
    assert found.guessed
    assert NAME in path.read_bytes().decode(found.name)


def test_what_was_found_of_an_encoding_is_said(tmp_path):
    text = f"account_id,name\na1,{NAME}\n".encode("cp932")
    data = folder_with(tmp_path / "d", {"accounts.csv": text})
    assert column(data, "accounts", "name") == [NAME]
    (said,) = notes(data)
    assert said.startswith(f"accounts.csv is not UTF-8 and was read as cp932, such as '{NAME}'")


def test_files_of_one_guessed_encoding_are_said_in_one_sentence(tmp_path):
    files = {
        f"{table}.csv": SOUND[table].encode("utf-16-le")
        for table in ("accounts", "contacts", "solutions", "members")
    }
    (said,) = notes(folder_with(tmp_path / "d", files))
    assert said.startswith(
        "accounts.csv, contacts.csv, solutions.csv and 1 more are not UTF-8 and were read as "
        "utf-16-le: if"
    )


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [SOUND["solutions"], SOUND["activities"], f"a,{NAME}\n"])
def test_utf16_without_a_mark_is_told_by_where_its_zeros_are(tmp_path, encoding, text):
    path = tmp_path / "one.csv"
    path.write_bytes(text.encode(encoding))
    assert find_encoding(path).name == encoding


@pytest.mark.parametrize("text", [b"a,b\nc,\0d\n", b"a,b\nc,d\0\ne,f\n"])
def test_a_zero_byte_in_other_text_is_refused_with_its_place(tmp_path, text):
    path = tmp_path / "one.csv"
    path.write_bytes(text)
    with pytest.raises(EncodingFault, match=f"a zero byte at {text.index(0)}, which no text has"):
        find_encoding(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_an_encoding_that_its_mark_names_is_not_guessed(tmp_path, encoding):
    path = tmp_path / "one.csv"
    path.write_bytes(f"account_id,name\r\na1,{NAME}\r\n".encode(encoding))
    assert not find_encoding(path).guessed
    assert open_csv(path).dialect.header == ("account_id", "name")


@pytest.mark.parametrize("name", ["Müller & Söhne", "Händler", "Café Noël", "Peña"])
def test_western_names_are_not_taken_for_kanji(tmp_path, name):
    path = tmp_path / "one.csv"
    path.write_bytes(f"account_id;name\na1;{name}\n".encode("cp1252"))
    assert find_encoding(path).name == "cp1252"


@pytest.mark.parametrize("name", ["ﾔﾏﾀﾞｼｮｳﾃﾝ", "東京ソフト", "ア", "髙橋㈱"])
def test_what_shift_jis_alone_can_say_is_read_as_that(tmp_path, name):
    path = tmp_path / "one.csv"
    path.write_bytes(f"account_id,name\na1,{name}\n".encode("cp932"))
    assert find_encoding(path).name == "cp932"


def test_broken_utf8_is_not_taken_for_another_encoding(tmp_path):
    path = tmp_path / "one.csv"
    path.write_bytes(f"account_id,name\na1,{NAME}\na2,".encode() + b"\xe6\xa0x\n")
    with pytest.raises(EncodingFault, match="line 3"):
        find_encoding(path)


def test_an_encoding_may_be_set_and_is_then_not_guessed(tmp_path):
    text = "account_id,name\na1,Привет\n".encode("cp1251")
    data = folder_with(tmp_path / "d", {"accounts.csv": text})
    settings = Settings(source=SourceSettings(encoding="cp1251"))
    assert column(data, "accounts", "name", settings) == ["Привет"]


def test_bytes_that_the_set_encoding_does_not_have_are_refused_with_their_place(tmp_path):
    data = folder_with(tmp_path / "d", {"accounts.csv": f"account_id,name\na1,{NAME}\n"})
    said = refusal(data, Settings(source=SourceSettings(encoding="ascii")))
    assert "accounts.csv" in said
    assert "byte 19" in said


# ---------------------------------------------------------------- lines


def test_lines_may_end_in_any_way(tmp_path):
    accounts = "account_id,name\na1,Acme\na2,Beta\n"
    contacts = "contact_id,account_id\nc1,a1\nc2,a2\n"
    files = {
        "activities.csv": TWO.replace("\n", "\r"),
        "accounts.csv": accounts.replace("\n", "\r\r\n"),
        "contacts.csv": contacts.replace("\n", "\n\n"),
    }
    data = folder_with(tmp_path / "d", files)
    read = {"activities": "activity_id", "accounts": "name", "contacts": "contact_id"}
    with open_source(data, threads=1) as source:
        report = check_source(source)
        found = {
            table: sorted(source.backend.to_pyarrow(source.tables[table])[name].to_pylist())
            for table, name in read.items()
        }
    assert (report.problems, report.warnings) == ((), ())
    assert found == {
        "activities": ["x1", "x2"], "accounts": ["Acme", "Beta"], "contacts": ["c1", "c2"],
    }  # fmt: skip


def test_line_ends_may_be_mixed_and_those_in_quotes_are_kept(tmp_path):
    text = 'account_id,name\r\na1,"Acme\r\nKK"\na2,Beta\r\r\na3,Gamma\r\n'
    data = folder_with(tmp_path / "d", {"accounts.csv": text})
    assert column(data, "accounts", "name") == ["Acme\r\nKK", "Beta", "Gamma"]


@pytest.mark.parametrize("size", [200_000, 2_500_000])
def test_a_field_may_be_long_whether_or_not_it_is_read(tmp_path, size):
    text = f"account_id,name,body\na1,Acme,{'x' * size}\na2,{'y' * size},\n"
    data = folder_with(tmp_path / "d", {"accounts.csv": text})
    assert [len(name) for name in column(data, "accounts", "name")] == [4, size]


def test_faults_are_named_by_their_line_also_where_duckdb_does_not_read(tmp_path):
    text = "account_id;name\r\na1;Acme\na2\r\na3;Secret;more\r\n"
    said = refusal(folder_with(tmp_path / "d", {"accounts.csv": text.encode("utf-16")}))
    assert "accounts.csv line 3: 1 fields, the header has 2" in said
    assert "line 4: 3 fields" in said
    assert "Secret" not in said


# ---------------------------------------------------------------- headers in the middle


def test_a_header_in_the_middle_is_left_out_and_said(tmp_path):
    files = {
        "accounts.csv": "account_id,name\na1,Acme\n\ufeffaccount_id,name\na2,Beta\n",
        "stage_events.csv": SOUND["stage_events"] * 2,
        "activities.csv": TWO + TWO.replace("x", "y"),
    }
    said = notes(folder_with(tmp_path / "d", files))
    for file, row in zip(files, (2, 2, 3), strict=True):
        assert f"{file}: row {row} repeats the header and was left out" in said


def test_a_second_header_in_another_order_is_refused(tmp_path):
    text = "account_id,name\na1,Acme\nname,account_id\nBeta,a2\n"
    said = refusal(folder_with(tmp_path / "d", {"accounts.csv": text}))
    assert "accounts.csv: row 2 is a second header with other columns, or in another" in said


@pytest.mark.parametrize("second", ["account_id,name,region", "name,account_id,tier"])
def test_a_second_header_with_other_columns_is_refused(tmp_path, second):
    text = f"account_id,name,tier\na1,Acme,A\n{second}\na2,Beta,B\n"
    said = refusal(folder_with(tmp_path / "d", {"accounts.csv": text}))
    assert "accounts.csv: row 2 is a second header with other columns" in said


def test_a_second_header_in_capitals_is_left_out(tmp_path):
    text = "account_id,name\na1,Acme\nACCOUNT_ID,NAME\na2,Beta\n"
    data = folder_with(tmp_path / "d", {"accounts.csv": text})
    assert column(data, "accounts", "account_id") == ["a1", "a2"]
    assert notes(data) == ("accounts.csv: row 2 repeats the header and was left out",)


def test_blank_lines_before_the_header_are_no_header(tmp_path):
    data = folder_with(tmp_path / "d", {"accounts.csv": "\n\n" + SOUND["accounts"]})
    assert notes(data) == ()


def test_lines_of_separators_alone_are_left_out_and_said(tmp_path):
    data = folder_with(tmp_path / "d", {"activities.csv": TWO + ",,,\n,,,\n"})
    assert notes(data) == ("activities.csv: rows 3, 4 are empty and were left out",)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    "name",
    ["Activities.CSV", "ACTIVITIES.csv", "activities.csv.gz", "activities.tsv", "activities.txt"],
)
def test_a_table_is_found_by_its_name_whatever_its_case_and_packing(tmp_path, name):
    (tmp_path / name).write_text(TWO)
    (files,) = find_table_files(tmp_path, ["activities", "accounts"]).tables.values()
    assert [path.name for path in files.paths] == [name]


def test_a_packed_table_is_read(tmp_path):
    data = folder_with(tmp_path / "d", {"Activities.csv.GZ": gzip.compress(TWO.encode())})
    assert column(data, "activities", "activity_id") == ["x1", "x2"]


def test_a_packed_file_that_was_cut_short_is_refused(tmp_path):
    content = gzip.compress(TWO.encode() * 500)[:-20]
    said = refusal(folder_with(tmp_path / "d", {"activities.csv.gz": content}))
    assert "activities.csv.gz: the packed file is damaged or cut short" in said


@pytest.mark.parametrize(
    "names",
    [
        ("activities-0001.csv", "activities-0002.csv"),
        ("activities_000000000000.csv", "activities_000000000001.csv"),
        ("Activities part 1 of 2.csv", "Activities part 2 of 2.csv"),
        ("activities (1).csv", "activities (2).csv"),
        ("activities-2024-01.csv.gz", "activities-2024-02.csv.gz"),
        ("activities/part-0.csv", "activities/part-1.csv"),
        ("activities/year=2024/a.csv", "activities/year=2025/b.csv"),
    ],
)
def test_parts_are_found(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TWO)
    found = find_table_files(tmp_path, ["activities"]).tables["activities"]
    assert [str(path.relative_to(tmp_path)) for path in found.paths] == list(names)


def test_the_parts_of_a_table_are_one_table(tmp_path):
    other = "kind,activity_id,occurred_at,contact_id\nfax,x3,2024-01-05,c1\n"
    data = folder_with(tmp_path / "d", {"activities-1.csv": TWO, "activities-2.csv": other})
    assert column(data, "activities", "activity_id") == ["x1", "x2", "x3"]
    assert column(data, "activities", "kind") == ["fax", "visit", "visit"]


def test_a_part_without_a_header_continues_the_part_before_it(tmp_path):
    """As `split` and some warehouses write it."""
    data = folder_with(
        tmp_path / "d", {"activities-1.csv": TWO, "activities-2.csv": "x3,c1,fax,2024-01-05\n"}
    )
    assert column(data, "activities", "activity_id") == ["x1", "x2", "x3"]
    (said,) = notes(data)
    assert said.startswith("activities-2.csv: the first line names no column")


def test_a_part_of_another_width_without_a_header_is_refused(tmp_path):
    parts = {"activities-1.csv": TWO, "activities-2.csv": "x3,c1,fax\n"}
    said = refusal(folder_with(tmp_path / "d", parts))
    assert "activities-2.csv line 1 names no column of the table, as that of activities-1" in said


def test_a_column_that_some_parts_lack_is_said(tmp_path):
    other = TWO.replace("\n", ",web\n").replace("at,web", "at,channel").replace("x", "y")
    data = folder_with(tmp_path / "d", {"activities-1.csv": TWO, "activities-2.csv": other})
    assert notes(data) == (
        "activities-1.csv: no column channel, which other parts have; empty there",
    )


def test_parts_in_parquet_are_one_table_and_folders_may_name_values(tmp_path):
    def part(number: int) -> pa.Table:
        return pa.table(
            {
                "activity_id": [f"x{number}"],
                "contact_id": ["c1"],
                "occurred_at": [datetime(2024, 1, 3)],
            }
        )

    data = folder_with(
        tmp_path / "d",
        {
            "activities/kind=meeting/part-0.parquet": part(1),
            "activities/kind=visit/part-0.parquet": part(2),
            "activities/_SUCCESS": "",
        },
    )
    assert column(data, "activities", "kind") == ["meeting", "visit"]
    assert notes(data) == ()


def test_part_2_comes_before_part_10(tmp_path):
    for number in (10, 2, 1):
        (tmp_path / f"activities-{number}.csv").write_text(TWO)
    found = find_table_files(tmp_path, ["activities"]).tables["activities"]
    assert [path.name for path in found.paths] == [f"activities-{n}.csv" for n in (1, 2, 10)]


def test_a_file_that_is_no_part_is_not_read_and_one_beside_the_table_is_named(tmp_path):
    data = folder_with(tmp_path / "d", {"activities.csv": TWO, "activities-0002.csv": TWO})
    (data / "activities_old.csv").write_text("nothing")
    assert notes(data) == (
        (
            "activities-0002.csv looks like a part of activities and is not read, as "
            "activities.csv is there: keep one or the other"
        ),
    )


@pytest.mark.parametrize(
    "names", [("activities.csv", "Activities.csv"), ("activities.csv", "activities.csv.gz")]
)
def test_two_files_that_may_be_the_table_are_refused(tmp_path, names):
    said = refusal(folder_with(tmp_path / "d", dict.fromkeys(names, TWO)))
    assert "table given twice" in said
    assert all(name in said for name in names)


def test_the_columns_of_a_missing_table_are_named(tmp_path):
    data = folder_with(tmp_path / "d", {})
    (data / "solutions.csv").unlink()
    assert "columns: solution_id, name" in refusal(data)


@pytest.mark.parametrize(
    "name", ["solutions.csv.zip", "solutions_jan.csv", "solution.csv", "solutions.json"]
)
def test_what_may_be_a_missing_table_is_named(tmp_path, name):
    data = folder_with(tmp_path / "d", {})
    (data / "solutions.csv").rename(data / name)
    assert f"there is {name}" in refusal(data)


def test_what_a_file_has_in_place_of_a_missing_column_is_named(tmp_path):
    text = "Report of accounts\naccount_id,name\na1,Acme\n"
    said = refusal(folder_with(tmp_path / "d", {"accounts.csv": text}))
    assert "accounts.csv has 'Report of accounts'" in said


@pytest.mark.parametrize(("first", "second"), [("Industry", "industry"), ("industry", "Industry")])
def test_columns_of_parquet_that_differ_by_case_are_both_seen(tmp_path, first, second):
    columns = {"account_id": ["a1"], "name": ["Acme"], first: ["A"], second: ["B"]}
    table = pa.table([pa.array(v) for v in columns.values()], names=list(columns))
    data = folder_with(tmp_path / "d", {"accounts.parquet": table})
    wanted = first if first.islower() else second
    assert column(data, "accounts", wanted) == columns[wanted]


def test_columns_that_differ_by_case_are_both_seen_in_parts(tmp_path):
    part = pa.table({"Account_ID": ["q1"], "account_id": ["a1"], "name": ["Acme"]})
    parts = {"accounts-1.parquet": part, "accounts-2.parquet": part.slice(0, 0)}
    assert column(folder_with(tmp_path / "d", parts), "accounts", "account_id") == ["a1"]


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.string()), pa.struct({"a": pa.string()})],
)
def test_lists_and_records_in_a_column_of_texts_are_refused(tmp_path, kind):
    table = pa.table(
        {"account_id": ["a1"], "name": ["Acme"], "industry": pa.array([None], kind)},
    )
    said = refusal(folder_with(tmp_path / "d", {"accounts.parquet": table}))
    assert "lists or records" in said
    assert "industry" in said


# ---------------------------------------------------------------- DuckDB files


def duckdb_file(path: Path, schema: str, name: str = "accounts") -> None:
    with duckdb.connect(str(path)) as database:
        database.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for table, text in SOUND.items():
            source = path.with_name(f"{table}.csv")
            source.write_text(text)
            own = name if table == "accounts" else table
            database.execute(f"CREATE TABLE {schema}.\"{own}\" AS FROM '{source}'")


@pytest.mark.parametrize("name", ["accounts", "Accounts"])
def test_tables_of_a_duckdb_file_are_found_in_any_schema(tmp_path, name):
    duckdb_file(tmp_path / "data.duckdb", "crm", name)
    assert column(tmp_path / "data.duckdb", "accounts", "name") == ["Acme"]


def test_a_table_in_two_schemas_is_refused_with_both_and_main_comes_first(tmp_path):
    path = tmp_path / "data.duckdb"
    duckdb_file(path, "crm")
    duckdb_file(path, "sales")
    said = refusal(path)
    assert "crm.accounts | sales.accounts" in said
    duckdb_file(path, "main")
    assert column(path, "accounts", "name") == ["Acme"]


# ---------------------------------------------------------------- workbooks

SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def cell(value: object) -> str:
    """A cell of a sheet; a time as Excel's number of days in its date format (style 1)."""
    if isinstance(value, datetime):
        days = (value - datetime(1899, 12, 30)).total_seconds() / 86_400
        return f'<c s="1"><v>{days!r}</v></c>'
    if isinstance(value, int | float):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def write_workbook(path: Path, sheets: Mapping[str, list[list[object]]]) -> None:
    numbers = range(1, len(sheets) + 1)
    with zipfile.ZipFile(path, "w") as book:
        overrides = "".join(
            f'<Override PartName="/xl/worksheets/s{i}.xml" ContentType="{KIND}.worksheet+xml"/>'
            for i in numbers
        )
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{TYPES}"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{KIND}.styles+xml"/>'
            f"{overrides}</Types>",
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r" '
            f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
            + "".join(
                f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>'
                for i, name in zip(numbers, sheets, strict=True)
            )
            + "</sheets></workbook>",
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{RELATIONS}"><Relationship Id="st" Type="{OFFICE}/styles" '
            'Target="styles.xml"/>'
            + "".join(
                f'<Relationship Id="r{i}" Type="{OFFICE}/worksheet" Target="worksheets/s{i}.xml"/>'
                for i in numbers
            )
            + "</Relationships>",
        )
        book.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/>'
            "</cellXfs></styleSheet>",
        )
        for i, rows in zip(numbers, sheets.values(), strict=True):
            body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            book.writestr(f"xl/worksheets/s{i}.xml", f"{SHEET}{body}</sheetData></worksheet>")


def sheet_rows(text: str) -> list[list[object]]:
    return [list(line.split(",")) for line in text.strip().split("\n")]


def test_a_workbook_is_a_source_with_a_sheet_for_each_table(tmp_path):
    sheets = {name.title(): sheet_rows(text) for name, text in SOUND.items()}
    sheets["Accounts"] = [["account_id", "name", "employees"], [7, "Acme", 120.0], ["x8", "B", ""]]
    sheets["Contacts"] = [["contact_id", "account_id"], ["c1", 7]]
    sheets["Buying_Groups"][1][1] = 7
    sheets["Members"][1][3] = datetime(2024, 1, 2, 9, 30)
    write_workbook(tmp_path / "crm.xlsx", sheets)
    with open_source(tmp_path / "crm.xlsx", threads=1) as source:
        report = check_source(source)
        accounts, members = (
            source.backend.to_pyarrow(source.tables[name]).to_pylist()
            for name in ("accounts", "members")
        )
    found = sorted((row["account_id"], row["employees"]) for row in accounts)
    assert found == [("7", 120), ("x8", None)]
    assert [row["joined_at"] for row in members] == [datetime(2024, 1, 2, 9, 30)]
    assert (report.problems, report.warnings) == ((), ())


def test_a_workbook_in_a_folder_gives_its_table_beside_other_files(tmp_path):
    data = folder_with(tmp_path / "d", {})
    (data / "accounts.csv").unlink()
    write_workbook(data / "accounts.xlsx", {"Sheet1": sheet_rows(SOUND["accounts"])})
    assert column(data, "accounts", "name") == ["Acme"]


def test_a_file_that_is_no_workbook_is_refused(tmp_path):
    (tmp_path / "crm.xlsx").write_text("no workbook")
    assert "crm.xlsx" in refusal(tmp_path / "crm.xlsx")


# ---------------------------------------------------------------- values


def events(*texts: str) -> str:
    return "group_id,stage,occurred_at\n" + "".join(f"g1,s{i},{t}\n" for i, t in enumerate(texts))


def test_a_zone_that_only_its_letters_tell_is_refused(tmp_path):
    zones = ["BST", "CST", "IST", "SST", "JST", "EST5EDT", "Japan", "(JST)"]
    text = events(*(f"2024-07-01 12:00:00 {zone}" for zone in zones))
    data = folder_with(tmp_path / "d", {"stage_events.csv": text})
    with open_source(data, threads=1) as source:
        (problem,) = check_source(source).problems
    assert (problem.rule, problem.count) == ("does not convert", len(zones))


CERTAIN = [
    "2024-02-01 09:00:00 +09:00",
    "2024-02-01T09:00:00 +0900",
    "2024-02-01 00:00:00 UTC",
    "2024-02-01 00:00:00 gmt",
    "2024-02-01T00:00:00z",
    "2024-02-01T00:00:00 Z",
    "2024-01-31 19:00 America/New_York",
    " 2024-02-01 00:00:00 ",
]


def test_a_zone_that_is_certain_is_read(tmp_path):
    data = folder_with(tmp_path / "d", {"stage_events.csv": events(*CERTAIN)})
    assert set(column(data, "stage_events", "occurred_at")) == {datetime(2024, 2, 1)}


def test_times_that_nobody_can_read_are_not_counted_as_converted(tmp_path):
    text = events("2024-07-01 12:00 CST", "2024-07-01", "2024-07-01T00:00+09:00")
    data = folder_with(tmp_path / "d", {"stage_events.csv": text})
    with open_source(data, threads=1) as source:
        report = check_source(source)
    (said,) = [s for s in report.warnings if "name a zone" in s]
    assert "(converted to UTC): 1; that name none (taken for UTC): 1;" in said


@pytest.mark.parametrize(
    ("table", "text", "advice"),
    [
        ("accounts", "account_id,name,employees\na1,Acme,12.5\n", "whole numbers as 1200"),
        ("stage_events", "group_id,stage,occurred_at,amount\ng1,won,2024-03-01,$5\n", "1200.50"),
        ("stage_events", events("soon"), "times as 2024-02-01T09:00:00Z"),
    ],
)
def test_advice_is_of_the_kind_of_value_that_a_column_has(tmp_path, table, text, advice):
    data = folder_with(tmp_path / "d", {f"{table}.csv": text})
    with open_source(data, threads=1) as source:
        (problem,) = check_source(source).problems
    assert advice in problem.advice


def employees(data: Path, settings: Settings | None = None) -> list[Any]:
    with open_source(data, threads=1, settings=settings) as source:
        report = check_source(source, settings)
        assert [problem.rule for problem in report.problems] == []
        rows = source.tables["accounts"].order_by("account_id")
        return [row["employees"] for row in source.backend.to_pyarrow(rows).to_pylist()]


ACCOUNTS = "account_id,name,employees\na1,Acme,{}\na2,Beta,{}\n"


@pytest.mark.parametrize("numbers", [("12.000", "1.000"), ("120", "1.500")])
def test_dots_that_may_be_thousands_are_refused_until_settings_say_what_they_are(tmp_path, numbers):
    data = folder_with(tmp_path / "d", {"accounts.csv": ACCOUNTS.format(*numbers)})
    with open_source(data, threads=1) as source:
        problems = check_source(source).problems
    assert [problem.rule for problem in problems] == ["decimals or thousands"]
    thousands = Settings(source=SourceSettings(decimal=","))
    assert employees(data, thousands) == [int(n.replace(".", "")) for n in numbers]


@pytest.mark.parametrize("numbers", [("12.0", "1.000"), ("1200.000", "1.000")])
def test_one_number_that_can_only_have_decimals_settles_its_column(tmp_path, numbers):
    data = folder_with(tmp_path / "d", {"accounts.csv": ACCOUNTS.format(*numbers)})
    assert employees(data) == [float(number) for number in numbers]


def test_decimal_commas_are_read_where_settings_say_so(tmp_path):
    text = "group_id;stage;occurred_at;amount\ng1;opportunity;2024-03-01;1.234,56\n"
    data = folder_with(tmp_path / "d", {"stage_events.csv": text})
    settings = Settings(source=SourceSettings(decimal=","))
    assert column(data, "stage_events", "amount", settings) == [1234.56]
