from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mqbg.contract import BadInput
from mqbg.source.checks import check_source, checked_source
from mqbg.source.problems import Problem, Report
from mqbg.source.staging import open_source

# Ibis 12 still calls the name that DuckDB 2 renamed.
CONGRESS = Path(__file__).parents[3] / "shared" / "data" / "congress110"
SOUND: Mapping[str, str] = {
    "accounts": "account_id,name\na1,Acme\na2,Beta\n",
    "contacts": "contact_id,account_id\nc1,a1\nc2,a2\n",
    "solutions": "solution_id,name\ns1,Suite\n",
    "buying_groups": (
        "group_id,account_id,solution_id,created_at\ng1,a1,s1,2024-01-01\ng2,a2,s1,2024-01-01\n"
    ),
    "members": (
        "group_id,contact_id,role,joined_at,left_at\n"
        "g1,c1,buyer,2024-01-02,\ng1,c2,user,2024-01-02,\ng2,c2,buyer,2024-01-02,\n"
    ),
    "activities": (
        "activity_id,contact_id,kind,occurred_at,recorded_at,group_id,solution_id,content_id\n"
        "x1,c1,visit,2024-01-03,,,,\nx2,c2,visit,2024-01-03,,,,\n"
    ),
    "stage_events": "group_id,stage,occurred_at,amount\ng1,opportunity,2024-03-01,5\n",
}
ACTIVITY = SOUND["activities"]
MEMBERS = "group_id,contact_id,role,joined_at,left_at\n"


def folder_with(folder: Path, tables: Mapping[str, str | None]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in {**SOUND, **tables}.items():
        if text is not None:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def report_on(folder: Path, tables: Mapping[str, str | None]) -> Report:
    data = folder_with(folder / "data", tables)
    with open_source(data, threads=1, strict=False) as source:
        return check_source(source)


def told(problem: Problem) -> tuple[str, str, str, int, tuple[str, ...]]:
    return problem.table, problem.column, str(problem.rule), problem.count, problem.examples


def kept(data: Path, quarantine: Path) -> dict[str, list[dict[str, Any]]]:
    with checked_source(data, quarantine=quarantine, threads=1) as source:
        assert check_source(source).problems == ()
        return {n: source.backend.to_pyarrow(t).to_pylist() for n, t in source.tables.items()}


def set_aside(quarantine: Path) -> dict[str, list[dict[str, Any]]]:
    return {path.stem: pq.read_table(path).to_pylist() for path in sorted(quarantine.iterdir())}


# ---------------------------------------------------------------- what passes


def test_sound_tables_have_no_problem(tmp_path):
    report = report_on(tmp_path, {})
    assert report.problems == ()
    assert report.warnings == ()
    assert report.rows["members"] == 3


@pytest.mark.skipif(not CONGRESS.exists(), reason="the data is not part of the repository")
def test_the_congress_has_no_problem():
    with checked_source(CONGRESS, threads=2) as source:
        assert check_source(source).problems == ()


def test_what_the_contract_allows_is_no_problem(tmp_path):
    allowed = {
        "activities": (
            "x1,c1,visit,2024-01-03,,,,",  # the same activity twice
            "x3,,meeting,2024-01-03,,g1,,",  # a meeting without a person
            "x4,c1,visit,2024-01-03,,,,k9",  # there is no contents table
        ),
        "members": (
            "g1,c1,boss,2023-01-02,2024-01-02",  # ends, then begins
            "g2,c1,boss,2024-01-05,2024-01-05",  # left at once
        ),
        "stage_events": ("g1,won,2200-01-01,", "g1,won,1990-01-01,"),
    }
    tables = {name: SOUND[name] + "\n".join(rows) + "\n" for name, rows in allowed.items()}
    assert report_on(tmp_path, tables).problems == ()


# ---------------------------------------------------------------- one rule each

RULES = [
    (
        {"accounts": None},
        (
            "accounts",
            "",
            "missing table",
            1,
            ("columns: account_id, name, domain?, industry?, employees?, country?, tier?",),
        ),
    ),
    (
        {"accounts": "account_id,names\na1,A\na2,B\n"},
        ("accounts", "name", "missing column", 1, ("nearest in accounts.csv: names",)),
    ),
    (
        {"members": MEMBERS},
        ("members", "", "has no rows", 0, ("members.csv",)),
    ),
    (
        {"accounts": "account_id,name\na1,A\na2,\n"},
        ("accounts", "name", "null where required", 1, ("a2",)),
    ),
    (
        {"accounts": SOUND["accounts"] + ",C\n"},
        ("accounts", "account_id", "null where required", 1, ("row 3 ((null))",)),
    ),
    (
        {"stage_events": "group_id,stage,occurred_at\ng1,won,01/02/2024\n"},
        ("stage_events", "occurred_at", "does not convert", 1, ("g1/won: 01/02/2024",)),
    ),
    (
        {"stage_events": "group_id,stage,occurred_at,amount\ng1,won,2024-01-01,many\n"},
        ("stage_events", "amount", "does not convert", 1, ("g1/won: many",)),
    ),
    (
        {"stage_events": "group_id,stage,occurred_at,amount\ng1,won,2024-01-01,inf\n"},
        ("stage_events", "amount", "does not convert", 1, ("g1/won: inf",)),
    ),
    (
        {"accounts": "account_id,name,employees\na1,A,12.5\na2,B,\n"},
        ("accounts", "employees", "does not convert", 1, ("a1: 12.5",)),
    ),
    (
        {"contents": "content_id,gated\nk1,perhaps\n"},
        ("contents", "gated", "does not convert", 1, ("k1: perhaps",)),
    ),
    (
        {"accounts": SOUND["accounts"] + "a2,Beta\n"},
        ("accounts", "account_id", "duplicate primary key", 1, ("a2",)),
    ),
    (
        {"accounts": SOUND["accounts"] + "a2,Gamma\n"},
        ("accounts", "account_id", "duplicate primary key", 2, ("a2", "a2")),
    ),
    (
        {"contacts": SOUND["contacts"] + "c3,a9\n"},
        ("contacts", "account_id", "dangling key", 1, ("c3: a9",)),
    ),
    (
        {"activities": ACTIVITY + "x3,c1,visit,2024-01-03,,,s9,\n"},
        ("activities", "solution_id", "dangling key", 1, ("x3: s9",)),
    ),
    (
        {
            "activities": ACTIVITY + "x3,c1,visit,2024-01-03,,,,k9\n",
            "contents": "content_id\nk1\n",
        },
        ("activities", "content_id", "dangling key", 1, ("x3: k9",)),
    ),
    (
        {"activities": ACTIVITY + "x3,,visit,2024-01-03,,,,\n"},
        ("activities", "contact_id", "neither contact nor group", 1, ("x3",)),
    ),
    (
        {"members": SOUND["members"] + "g2,c1,boss,2024-01-05,2024-01-04\n"},
        (
            "members",
            "left_at",
            "left_at before joined_at",
            1,
            ("g2/c1: 2024-01-05 00:00:00 to 2024-01-04 00:00:00",),
        ),
    ),
    (
        {"members": SOUND["members"] + "g1,c1,boss,2024-02-02,\n"},
        (
            "members",
            "joined_at",
            "overlapping rows of one member",
            1,
            ("g1/c1: joined 2024-02-02 00:00:00",),
        ),
    ),
    (
        {"stage_events": "group_id,stage,occurred_at\ng1,won,2200-01-01T00:00:01\n"},
        ("stage_events", "occurred_at", "time after 2200", 1, ("g1/won: 2200-01-01 00:00:01",)),
    ),
    (
        {"stage_events": "group_id,stage,occurred_at\ng1,won,1989-12-31T23:59:59\n"},
        ("stage_events", "occurred_at", "time before 1990", 1, ("g1/won: 1989-12-31 23:59:59",)),
    ),
    (
        {"verdicts": "group_id,decided_at,verdict\ng1,2024-03-01,Maybe\n"},
        ("verdicts", "verdict", "unknown value", 1, ("g1: Maybe",)),
    ),
    (
        {"contents": "content_id,buying_job\nk1,chatting\n"},
        ("contents", "buying_job", "unknown value", 1, ("k1: chatting",)),
    ),
    (
        {"members": MEMBERS.strip() + ",source\ng1,c1,buyer,2024-01-02,,guess\n"},
        ("members", "source", "unknown value", 1, ("g1/c1: guess",)),
    ),
    (
        {"members": MEMBERS.strip() + ",joined_is\ng1,c1,buyer,2024-01-02,,about\n"},
        ("members", "joined_is", "unknown value", 1, ("g1/c1: about",)),
    ),
    *(
        (
            {"members": MEMBERS.strip() + f",probability\ng1,c1,buyer,2024-01-02,,{given}\n"},
            ("members", "probability", "number out of range", 1, (f"g1/c1: {given}",)),
        )
        for given in ("1.01", "-0.5", "97.0")
    ),
]


def in_few_folders():
    """The cases of `RULES`, those together that break different tables: to open one takes long.

    Contacts are left whole where accounts are broken, on which their rules depend.
    """
    folders = []
    for tables, problem in RULES:
        read = {*tables} | ({"accounts"} if "contacts" in tables else set())
        free = [folder for folder in folders if not read & folder[0]]
        touched, together, problems = free[0] if free else (set(), {}, [])
        if not free:
            folders.append((touched, together, problems))
        touched |= read
        together |= tables
        problems.append(problem)
    return [folder[1:] for folder in folders]


@pytest.mark.parametrize(("tables", "problems"), in_few_folders())
def test_a_broken_rule_is_told_once_with_its_place_count_and_example(tmp_path, tables, problems):
    assert sorted(told(found) for found in report_on(tmp_path, tables).problems) == sorted(problems)


def test_all_problems_stand_in_one_report(tmp_path):
    together: dict[str, str | None] = {
        "accounts": None,
        "contacts": "contact_id\nc1\n",
        "stage_events": "group_id,stage,occurred_at\ng9,won,soon\n",
        "verdicts": "group_id,decided_at,verdict\ng1,2024-03-01,maybe\n",
    }
    found = {(p.table, str(p.rule)) for p in report_on(tmp_path, together).problems}
    assert found == {
        ("accounts", "missing table"),
        ("contacts", "missing column"),
        ("stage_events", "dangling key"),
        ("stage_events", "does not convert"),
        ("verdicts", "unknown value"),
    }


def test_examples_are_the_first_five_and_the_count_is_of_all(tmp_path):
    lines = "".join(f"y{i},c9,visit,2024-01-03,,,,\n" for i in range(9))
    (problem,) = report_on(tmp_path, {"activities": ACTIVITY + lines}).problems
    assert problem.count == 9
    assert problem.examples == tuple(f"y{i}: c9" for i in range(5))


def test_the_report_shows_keys_and_offending_values_only(tmp_path):
    contacts = "contact_id,account_id,full_name,email\nc1,a1,A,a@x.jp\nc2,a9,Hanako,hanako@x.jp\n"
    text = report_on(tmp_path, {"contacts": contacts}).text()
    assert "c2: a9" in text
    assert "anako" not in text


def test_a_damaged_page_of_parquet_is_a_problem_and_no_crash(tmp_path):
    data = folder_with(tmp_path / "data", {"accounts": None})
    path = data / "accounts.parquet"
    names = pa.table({"account_id": ["a1", "a2"], "name": ["A" * 50, "B" * 50]})
    pq.write_table(names, path, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(content)
    with open_source(data, threads=1, strict=False) as source:
        problems = check_source(source).problems
    assert [(p.table, str(p.rule)) for p in problems] == [("accounts", "not readable")]


# ---------------------------------------------------------------- members that overlap

DAY = datetime(2024, 1, 1)
# Opening a source costs more than a hundred rows: few examples, each with many members.
CONTACTS = [f"c{i}" for i in range(30)]
SPANS = st.lists(
    st.tuples(
        st.sampled_from(CONTACTS),
        st.integers(0, 12),
        st.none() | st.integers(0, 6),
    ),
    min_size=50,
    max_size=100,
)


def share_an_instant(one: tuple[str, int, int | None], other: tuple[str, int, int | None]) -> bool:
    def ends(span: tuple[str, int, int | None]) -> float:
        return float("inf") if span[2] is None else span[1] + span[2]

    begin, end = max(one[1], other[1]), min(ends(one), ends(other))
    return one[0] == other[0] and begin < end


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SPANS)
def test_quarantine_leaves_no_overlap_and_takes_a_row_only_where_there_was_one(
    tmp_path_factory, spans
):
    folder = tmp_path_factory.mktemp("spans")
    lines = [
        f"g1,{contact},r{i},{DAY + timedelta(days=start)},"
        + ("" if days is None else str(DAY + timedelta(days=start + days)))
        for i, (contact, start, days) in enumerate(spans)
    ]
    contacts = "contact_id,account_id\n" + "".join(f"{contact},a1\n" for contact in CONTACTS)
    members = MEMBERS + "\n".join(lines) + "\n"
    data = folder_with(folder / "data", {"contacts": contacts, "members": members})
    left = [int(row["role"][1:]) for row in kept(data, folder / "aside")["members"]]
    for i, span in enumerate(spans):
        clashes = [j for j in range(len(spans)) if j != i and share_an_instant(span, spans[j])]
        if i in left:
            assert not set(clashes) & set(left)
        else:
            assert clashes


@pytest.mark.slow
def test_the_order_of_the_rows_does_not_decide_which_overlap_goes(tmp_path):
    rows = ["g1,c1,x,2024-01-02,", "g1,c1,y,2024-01-02,2024-02-01", "g1,c1,z,2024-01-02,"]
    answers = []
    for number, order in enumerate([rows, rows[::-1]]):
        data = folder_with(tmp_path / f"d{number}", {"members": MEMBERS + "\n".join(order) + "\n"})
        answers.append([r["role"] for r in kept(data, tmp_path / f"q{number}")["members"]])
    assert answers[0] == answers[1] == ["y"]


def test_an_end_that_cannot_be_read_is_not_taken_for_an_open_one(tmp_path):
    text = MEMBERS + "g1,c1,x,2024-01-02,never\ng1,c1,y,2024-02-02,\n"
    (problem,) = report_on(tmp_path, {"members": text}).problems
    assert problem.rule == "does not convert"


# ---------------------------------------------------------------- notices

NOTICES = [
    (
        {"members": MEMBERS + "g1,c1,buyer,2024-01-02,\n"},
        "buying groups without a member, scored as empty: 1 of 2",
    ),
    (
        {"activities": ACTIVITY.replace("x2,c2", "x2,c1")},
        "member rows whose contact has no activity, so silent: 2 of 3",
    ),
    (
        {"activities": ACTIVITY + "x1,c1,visit,2024-01-03,,,,\n"},
        "activities that repeat an activity_id and count once: 1",
    ),
    (
        {"activities": ACTIVITY + "x3,c1,visit,2024-01-03,2024-01-02,,,\n"},
        "activities recorded before they occurred, which count once they have: 1",
    ),
    (
        {"activities": ACTIVITY + "x3,c1,visit,2024-01-03T00:00:00+09:00,,,,\n"},
        (
            "activities.csv, occurred_at: times that name a zone (converted to UTC): 1; "
            "that name none (taken for UTC): 2; give the zone where they are not"
        ),
    ),
    (
        {"stage_events": "group_id,stage,occurred_at,Amount\ng1,opportunity,2024-03-01,1\n"},
        "stage_events.csv has no amount, but a column Amount: rename it if that is meant",
    ),
]


@pytest.mark.parametrize(("tables", "sentence"), NOTICES)
def test_what_is_allowed_and_odd_is_noticed(tmp_path, tables, sentence):
    report = report_on(tmp_path, tables)
    assert report.problems == ()
    assert report.warnings == (sentence,)


# ---------------------------------------------------------------- checked_source

BAD = {
    "accounts": SOUND["accounts"] + "a3,Gamma\na3,Delta\n",
    "contacts": SOUND["contacts"] + "c3,a3\nc4,a9\n",
    "activities": ACTIVITY + "x3,c3,visit,2024-01-03,,,,\nx4,c1,visit,yesterday,,,,\n",
}


def test_a_problem_is_refused_with_the_whole_report(tmp_path):
    data = folder_with(tmp_path / "data", BAD)
    with pytest.raises(BadInput) as caught, checked_source(data, threads=1):
        pass
    with open_source(data, threads=1) as source:
        assert str(caught.value) == check_source(source).text(str(data))
    assert "yesterday" in str(caught.value)


def test_a_quarantined_row_keeps_its_text_and_says_why(tmp_path):
    data = folder_with(tmp_path / "data", BAD)
    kept(data, tmp_path / "aside")
    (bad, worse) = set_aside(tmp_path / "aside")["activities"]
    assert bad["reasons"] == "contact_id: its parent was quarantined"
    assert worse["occurred_at"] == "yesterday"
    assert worse["reasons"] == "occurred_at: does not convert"


def test_rows_follow_their_parents_into_quarantine_and_none_is_lost(tmp_path):
    data = folder_with(tmp_path / "data", BAD)
    with open_source(data, threads=1) as source:
        before = check_source(source).rows
    rest = kept(data, tmp_path / "aside")
    aside = set_aside(tmp_path / "aside")
    assert [row["account_id"] for row in rest["accounts"]] == ["a1", "a2"]
    assert [row["contact_id"] for row in rest["contacts"]] == ["c1", "c2"]
    assert {n: len(rest[n]) + len(aside.get(n, [])) for n in before} == before


def test_of_identical_copies_one_stays(tmp_path):
    data = folder_with(tmp_path / "data", {"accounts": SOUND["accounts"] + "a2,Beta\n"})
    rest = kept(data, tmp_path / "aside")
    assert [row["account_id"] for row in rest["accounts"]] == ["a1", "a2"]
    assert len(rest["contacts"]) == 2


def test_parquet_rows_are_quarantined_by_their_place(tmp_path):
    data = folder_with(tmp_path / "data", {"contacts": None})
    contacts = pa.table({"contact_id": ["c1", "c9", "c2"], "account_id": ["a1", "a9", "a2"]})
    pq.write_table(contacts, data / "contacts.parquet")
    rest = kept(data, tmp_path / "aside")
    assert [row["contact_id"] for row in rest["contacts"]] == ["c1", "c2"]
    assert [row["contact_id"] for row in set_aside(tmp_path / "aside")["contacts"]] == ["c9"]


def test_sound_data_needs_no_quarantine_and_makes_none(tmp_path):
    kept(folder_with(tmp_path / "data", {}), tmp_path / "aside")
    assert not (tmp_path / "aside").exists()


def test_an_empty_quarantine_folder_is_filled(tmp_path):
    (tmp_path / "aside").mkdir()
    kept(folder_with(tmp_path / "data", BAD), tmp_path / "aside")
    assert {path.name for path in tmp_path.iterdir()} == {"data", "aside"}
    assert set(set_aside(tmp_path / "aside")) == {"accounts", "contacts", "activities"}


def test_a_quarantine_folder_in_use_is_refused(tmp_path):
    data = folder_with(tmp_path / "data", BAD)
    with (
        pytest.raises(BadInput, match="new or empty folder"),
        checked_source(data, quarantine=data, threads=1),
    ):
        pass


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"accounts": None}, "missing table"),
        ({"stage_events": "group_id,stage,occurred_at\n"}, "has no rows"),
        ({"solutions": "solution_id,name\ns1,\n"}, "every row of solutions, buying_groups"),
    ],
)
def test_what_quarantine_cannot_mend_is_refused_and_nothing_is_written(tmp_path, tables, message):
    data = folder_with(tmp_path / "data", tables)
    with (
        pytest.raises(BadInput, match=message),
        checked_source(data, quarantine=tmp_path / "aside", threads=1),
    ):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


# ---------------------------------------------------------------- counts against plain Python

IDS = st.sampled_from(["", *(f"a{i}" for i in range(1, 16))])


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(IDS, st.sampled_from(["A", "B"])), max_size=30), st.lists(IDS, max_size=30)
)
def test_keys_are_counted_as_plain_python_counts_them(tmp_path_factory, accounts, owners):
    accounts = [("a0", "Z"), *accounts]
    owners = ["a0", *owners]
    tables = {
        "accounts": "account_id,name\n" + "".join(f"{k},{n}\n" for k, n in accounts),
        "contacts": "contact_id,account_id\n"
        + "".join(f"c{i},{k}\n" for i, k in enumerate(owners)),
    }
    copies = defaultdict(list)
    for key, name in accounts:
        copies[key].append(name)
    names = {key: all_names for key, all_names in copies.items() if key}
    expected = {
        ("accounts", "null where required"): len(copies.get("", [])),
        ("accounts", "duplicate primary key"): sum(
            len(n) if len(set(n)) > 1 else len(n) - 1 for n in names.values()
        ),
        ("contacts", "null where required"): owners.count(""),
        ("contacts", "dangling key"): sum(bool(k) and k not in names for k in owners),
    }
    found = report_on(tmp_path_factory.mktemp("keys"), tables).problems
    counted = {
        (p.table, str(p.rule)): p.count for p in found if p.table in {"accounts", "contacts"}
    }
    assert counted == {place: count for place, count in expected.items() if count}
