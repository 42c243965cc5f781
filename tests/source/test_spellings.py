"""Names that are one and are spelt as several; texts that stand for no value; keys nearly found."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.settings import Settings, SourceSettings
from mqbg.source.checks import check_source
from mqbg.source.near_keys import near_keys_hint
from mqbg.source.null_texts import NULL_TEXTS, is_null_text, null_text_sql
from mqbg.source.problems import Report
from mqbg.source.spellings import joined_spellings, spelling_groups, spelling_key
from mqbg.source.staging import open_source

SOUND: Mapping[str, str] = {
    "accounts": "account_id,name\na1,Acme\na2,Beta\n",
    "contacts": "contact_id,account_id\nc1,a1\nc2,a2\n",
    "solutions": "solution_id,name\ns1,Suite\n",
    "buying_groups": (
        "group_id,account_id,solution_id,created_at\ng1,a1,s1,2024-01-01\ng2,a2,s1,2024-01-01\n"
    ),
    "members": "group_id,contact_id,role,joined_at\n"
    "g1,c1,buyer,2024-01-02\ng2,c2,user,2024-01-02\n",
    "activities": (
        "activity_id,contact_id,kind,occurred_at,group_id\n"
        "x1,c1,visit,2024-01-03,\nx2,c2,visit,2024-01-03,\n"
    ),
    "stage_events": "group_id,stage,occurred_at\ng1,opportunity,2024-03-01\n",
}
JOIN = Settings(source=SourceSettings(normalise=True))


def folder_with(folder: Path, tables: Mapping[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in {**SOUND, **tables}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def report_on(data: Path, settings: Settings | None = None) -> Report:
    with open_source(data, threads=1, strict=False, settings=settings) as source:
        return check_source(source, settings)


def column(data: Path, table: str, name: str, settings: Settings | None = None) -> list[Any]:
    with open_source(data, threads=1, settings=settings) as source:
        return [row[name] for row in source.backend.to_pyarrow(source.tables[table]).to_pylist()]


# ---------------------------------------------------------------- several names in one cell


@pytest.mark.parametrize(("roles", "said"), [(64, 0), (65, 1)])
def test_more_roles_than_are_told_apart_are_said(tmp_path, roles, said):
    rows = "".join(f"g1,c1,title {i},2024-01-02,2024-01-02\n" for i in range(roles))
    text = "group_id,contact_id,role,joined_at,left_at\n" + rows
    warnings = report_on(folder_with(tmp_path, {"members": text})).warnings
    assert len([s for s in warnings if "are they titles?" in s]) == said


@pytest.mark.parametrize("cell", ["user;buyer", "buyer | user", '["buyer"]', "{'role': 'x'}"])
def test_several_names_in_one_cell_are_said(tmp_path, cell):
    quoted = '"' + cell.replace('"', '""') + '"'
    text = SOUND["members"] + f"g1,c2,{quoted},2024-01-02\n"
    (said,) = [
        s for s in report_on(folder_with(tmp_path, {"members": text})).warnings if "one cell" in s
    ]
    assert said.startswith("members.csv, role: several names in one cell")
    assert f"{cell!r} (1)" in said


@pytest.mark.parametrize("cell", ["Food, Beverage", "R&D; other", "buyer"])
def test_a_name_with_a_comma_is_one_name(tmp_path, cell):
    text = SOUND["members"] + f'g1,c2,"{cell}",2024-01-02\n'
    report = report_on(folder_with(tmp_path, {"members": text}))
    assert [s for s in report.warnings if "one cell" in s] == []


# ---------------------------------------------------------------- spellings

ROLES = "group_id,contact_id,role,joined_at\ng1,c1,{},2024-01-02\ng2,c2,{},2024-01-02\n"
SAME = [
    ("decision_maker", "DECISION MAKER"),
    ("user", "User "),
    ("decision-maker", "decision_maker"),
    ("ＩＴ", "it"),
    ("ﾕｰｻﾞｰ", "ユーザー"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_name_have_one_key(one, other):
    assert spelling_key(one) == spelling_key(other)
    assert spelling_groups({one: 1, other: 2}) == [[other, one]]


def test_spellings_of_one_role_are_shown_together_and_joined_on_demand(tmp_path):
    data = folder_with(
        tmp_path / "d", {"members": ROLES.format("decision_maker", "DECISION MAKER")}
    )
    (said,) = report_on(data).warnings
    assert said == (
        "members.csv, role: spellings of one name, counted as several: 'DECISION MAKER' (1), "
        "'decision_maker' (1); set [source] normalise = true to join them"
    )
    assert report_on(data, JOIN).warnings == ()
    assert len(set(column(data, "members", "role", JOIN))) == 1


def test_kinds_stages_and_categories_have_spellings_too(tmp_path):
    accounts = "account_id,name,industry,tier\na1,A,IT Services,S\na2,B,it_services,Ｓ\n"
    data = folder_with(
        tmp_path / "d",
        {
            "activities": SOUND["activities"].replace("c2,visit", "c2,Visit"),
            "stage_events": SOUND["stage_events"] + "g2,Opportunity,2024-03-01\n",
            "accounts": accounts,
        },
    )
    assert [said.split(":")[0] for said in report_on(data).warnings] == [
        "accounts.csv, industry",
        "accounts.csv, tier",
        "activities.csv, kind",
        "stage_events.csv, stage",
    ]
    assert report_on(data, JOIN).warnings == ()


def test_spellings_are_joined_to_the_one_that_settings_know(tmp_path):
    text = SOUND["stage_events"].replace("opportunity", "OPPORTUNITY")
    data = folder_with(tmp_path / "d", {"stage_events": text})
    assert column(data, "stage_events", "stage", JOIN) == ["opportunity"]


def test_names_that_differ_by_letters_are_never_joined(tmp_path):
    assert column(folder_with(tmp_path / "d", {}), "members", "role", JOIN) == ["buyer", "user"]


@given(st.dictionaries(st.text(max_size=6), st.integers(1, 9), max_size=8), st.lists(st.text()))
def test_what_is_joined_has_one_key_and_a_known_name_stays(counts, known):
    joined = joined_spellings(counts, known)
    assert all(spelling_key(name) == spelling_key(target) for name, target in joined.items())
    assert not set(joined) & set(known)
    left = {joined.get(name, name) for name in counts} - set(known)
    assert spelling_groups(dict.fromkeys(left, 1)) == []


# ---------------------------------------------------------------- texts for no value


NO_VALUES = [*NULL_TEXTS, " ", "\u3000", "\u00a0 ", " NULL ", "None  ", "NULL      ", '"  "']


def test_texts_that_stand_for_no_value_are_null_and_said_and_names_are_kept(tmp_path):
    names = ["Nan Goldin", "nonet", "Null Inc.", "none of these", "NA", "-"]
    lines = [f"a{i},{names[i % 6]},{text}" for i, text in enumerate([*NO_VALUES, "", "steel"], 1)]
    text = "\n".join(["account_id,name,industry", *lines])
    data = folder_with(tmp_path / "d", {"accounts": text})
    assert set(column(data, "accounts", "industry")) == {None, "steel"}
    assert set(column(data, "accounts", "name")) == set(names)
    assert report_on(data).warnings == (
        (
            "accounts.csv, industry: cells that say NULL, nan or None, or are blank, and were "
            f"taken for empty: {len(NO_VALUES)}"
        ),
    )


def test_in_parquet_numbers_and_times_as_well(tmp_path):
    data = folder_with(tmp_path / "d", {})
    (data / "accounts.csv").unlink()
    texts = [text for text in NO_VALUES if '"' not in text]
    ids = [f"a{i}" for i in range(1, len(texts) + 2)]
    columns = {"account_id": ids, "name": ids, "employees": [*texts, "7"], "tier": [*texts, "S"]}
    pq.write_table(pa.table(columns), data / "accounts.parquet")
    assert set(column(data, "accounts", "employees")) == {None, 7}
    assert set(column(data, "accounts", "tier")) == {None, "S"}
    assert report_on(data).problems == ()


def test_an_answer_says_what_it_says(tmp_path):
    answers = "group_id,question,answer,answered_at\ng1,competitor,None,2024-02-01\n"
    data = folder_with(tmp_path / "d", {"answers": answers})
    assert column(data, "answers", "answer") == ["None"]


def test_a_role_that_stands_for_no_value_is_no_role(tmp_path):
    members = ROLES + "g1,c2,{},2024-01-03\ng2,c1,buyer,2024-01-03\n"
    data = folder_with(tmp_path / "d", {"members": members.format("nan", " ", "NULL")})
    (problem,) = report_on(data).problems
    assert (problem.column, problem.rule, problem.count) == ("role", "null where required", 3)


def test_a_blank_in_an_optional_key_is_no_key(tmp_path):
    text = SOUND["activities"].replace("2024-01-03,\nx2", "2024-01-03, \nx2")
    report = report_on(folder_with(tmp_path / "d", {"activities": text}))
    assert report.problems == ()
    assert "activities.csv, group_id: cells" in report.warnings[0]


@given(st.text(max_size=8))
def test_python_and_sql_agree_on_what_stands_for_no_value(text):
    query = f"SELECT {null_text_sql('x')} FROM (SELECT $1::VARCHAR AS x)"  # noqa: S608
    assert duckdb.execute(query, [text.replace("\0", "")]).fetchall() == [
        (is_null_text(text.replace("\0", "")),)
    ]


# ---------------------------------------------------------------- keys


NEARLY = [
    ("a1   ", "a1", "without the blanks around them"),
    ("7.0", "7", "without .0 at the end"),
    ("7", "007", "without leading zeros"),
    ("00a7", "a7", "without leading zeros"),
    ("{a7}", "a7", "without the quotes or brackets around them"),
    ("A1", "a1", "without regard to case"),
    (unicodedata.normalize("NFD", "ガ1"), "ガ1", "in Unicode NFC"),
    ("0015000000Gv7qJ", "0015000000Gv7qJAAR", "by their first 15 characters"),
    ("zz", "a1", ""),
]


@pytest.mark.parametrize(("given_key", "known", "how"), NEARLY)
def test_a_dangling_key_that_is_nearly_found_says_so(given_key, known, how):
    backend = ibis.duckdb.connect(threads=1)
    dangling, parents = (
        backend.create_table(name, pa.table({"key": [key, None]}))
        for name, key in (("dangling", given_key), ("parents", known))
    )
    said = near_keys_hint(backend, dangling, parents)
    assert said == (f"1 of them matches {how}" if how else "")


def test_blanks_around_a_key_are_visible_and_explained(tmp_path):
    text = SOUND["contacts"].replace("c1,a1", "c1,a1  ")
    report = report_on(folder_with(tmp_path / "d", {"contacts": text}))
    (problem,) = report.problems
    assert problem.examples == ("c1: 'a1  '",)
    assert "'a1  ' (1 of them matches without the blanks around them)" in report.text()
