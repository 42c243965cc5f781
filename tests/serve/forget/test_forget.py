"""Whoever is forgotten stands nowhere any more, and nobody else is touched."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from mqbg.contract import BadInput
from mqbg.serve.batch.score_files import read_score_tables, write_score_tables
from mqbg.serve.delivery.outbox.outbox_table import outbox
from mqbg.serve.delivery.targets.salesforce import stakeholder_id
from mqbg.serve.forget.person import Person
from mqbg.serve.forget.score_files import forget_in_pages, forget_in_tables
from mqbg.serve.forget.staged_files import staged_files
from mqbg.serve.forget.store_rows import forget_in_store
from mqbg.serve.forget.written_files import forget_in_files
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.errors import StoreFailed
from mqbg.serve.store.queries import compute_signature, load_group, load_latest_run
from mqbg.serve.store.save_run import save_run
from mqbg.serve.store.schema import STORED_TABLES
from mqbg.settings import Settings

JUNE, DAY = datetime(2024, 6, 1), timedelta(days=1)
HANAKO = Person("C1", ("佐藤花子", "hanako@example.jp"))


def cleared(forget, path, person):
    """What a function removes from files, which have changed by then."""
    with staged_files() as files:
        counts = forget(path, person, files)
        files.commit()
    return counts


def rows_of(scores_of, readiness):
    scores = scores_of(readiness)
    for row in scores:
        row |= {"top_reasons": ["Pricing was looked at", "佐藤花子様 asked for a price"]}
        row["single_point_of_failure"] = "C1" if row["group_id"] == "g" else "C10"
    return {
        "scores": scores,
        "stakeholders": [
            {"group_id": "g", "contact_id": "C1", "summary": "佐藤花子様は部長です"},
            {"group_id": "g", "contact_id": "C10", "summary": "Ann Lee looks at prices"},
            {"group_id": "h", "contact_id": "C10", "summary": "Works with hanako@example.jp"},
        ],
        "actions": [
            {"group_id": "g", "action": "wake_member", "contact_id": "C1", "text": "Wake her"},
            {"group_id": "g", "action": "fill_role", "contact_id": None, "text": "Find a user"},
            {"group_id": "h", "action": "fill_role", "contact_id": None, "text": "Ask C1, perhaps"},
        ],
        "themes": [
            {"group_id": "g", "contact_id": "C1", "theme": "web"},
            {"group_id": "g", "contact_id": "C10", "theme": "web"},
        ],
        "horizons": [{"group_id": "g"}],
        "summaries": [
            {"group_id": "g", "summary": "Three people carry the score"},
            {"group_id": "h", "summary": "C10 carries the score"},
        ],
    }


@pytest.fixture
def scored(run_of, scores_of):
    return [
        run_of(JUNE + n * DAY, rows_of(scores_of, {"g": 0.9, "h": 0.1 + 0.5 * n})) for n in range(2)
    ]


@pytest.fixture
def filled(store, scored, no_verdicts):
    """A store with two runs."""
    for n, night in enumerate(scored):
        with save_run(store, night, no_verdicts, Settings(), JUNE + n * DAY):
            pass
    return store


EXPECTED = {
    "stakeholders rows": 1, "actions rows": 1, "themes rows": 1, "scores pointers": 1,
    "scores texts": 2, "stakeholders texts": 1, "actions texts": 1, "summaries texts": 1,
}  # fmt: skip
"""In each run; the group's own summary goes although it names nobody in so many words."""

IN_STORE = EXPECTED | {"stakeholders rows": 2, "stakeholders texts": 2, "scores texts": 3}
"""In a store of two runs, that hold all but stakeholders and the score of h in common."""


def test_a_person_goes_from_every_table_of_the_store(filled, everything):
    before = everything(filled)
    assert forget_in_store(filled, HANAKO).counts == IN_STORE
    after = everything(filled)
    assert "佐藤" not in str(after)
    assert "hanako" not in str(after)
    assert "'C1'" not in str(after)
    assert "Ask" not in str(after)
    for kept in ("Ann Lee looks at prices", "Find a user", "C10 carries the score", "Pricing was"):
        assert str(after).count(kept) == str(before).count(kept)
    for table in ("runs", "states", "transitions", "horizons", "rankings"):
        assert after[table] == before[table]


def signature_of(store):
    """What a server compares to see whether the latest run changed."""
    with store.reading() as connection:
        return compute_signature(connection, load_latest_run(connection))


def rows_by_table(rows):
    return {name: len(of_table) for name, of_table in rows.items() if name in STORED_TABLES}


def test_whom_a_text_alone_names_changes_what_a_server_sees_and_no_number_of_rows(
    filled, everything
):
    before, rows = signature_of(filled), rows_by_table(everything(filled))
    counts = forget_in_store(filled, Person("nobody", ("Ann Lee",))).counts
    assert counts == {"stakeholders texts": 2}
    assert rows_by_table(everything(filled)) == rows
    assert signature_of(filled) != before


def test_a_server_sees_a_person_forgotten_in_a_store_and_in_its_copy_as_two_changes(
    tmp_path, scored, no_verdicts
):
    """As where a backup is put back and the person is forgotten in it again."""
    paths = [tmp_path / "store.sqlite", tmp_path / "copy.sqlite"]
    with (
        open_store(f"sqlite:///{paths[0]}") as store,
        save_run(store, scored[0], no_verdicts, Settings(), JUNE),
    ):
        pass
    shutil.copy(*paths)
    seen = []
    for path in paths:
        with open_store(f"sqlite:///{path}") as store:
            seen.append(signature_of(store))
            forget_in_store(store, HANAKO)
            seen.append(signature_of(store))
    assert seen[0] == seen[2]
    assert len(set(seen)) == 3


def test_forgetting_twice_finds_nothing_and_changes_nothing(filled, everything):
    forget_in_store(filled, HANAKO)
    once = everything(filled)
    assert forget_in_store(filled, HANAKO).counts == {}
    assert everything(filled) == once


def test_somebody_unknown_changes_nothing(filled, everything):
    before = everything(filled)
    assert forget_in_store(filled, Person("C", ("Hana",))).counts == {}
    assert everything(filled) == before


def test_without_a_name_every_text_of_the_persons_groups_goes(filled, everything):
    forget_in_store(filled, Person("C1"))
    after = everything(filled)
    assert "Ann Lee looks" not in str(after)  # of group g: who can tell whom it names
    assert "C10 carries the score" in str(after)  # of group h
    assert "'C1'" not in str(after)


def test_the_name_is_not_left_on_the_disk(tmp_path, run_of, scores_of, no_verdicts):
    path, name = tmp_path / "store.sqlite", "Zachariah Quuxington"
    rows = {
        "scores": scores_of({"g": 0.9}),
        "stakeholders": [{"group_id": "g", "contact_id": "C1", "summary": f"{name} is there"}],
        "summaries": [{"group_id": "g", "summary": f"It is {name}"}],
    }
    with open_store(f"sqlite:///{path}") as store:
        with save_run(store, run_of(JUNE, rows), no_verdicts, Settings(), JUNE):
            pass
        assert b"Quuxington" in on_disk(tmp_path)
        forget_in_store(store, Person("C1", (name,)))
        assert b"Quuxington" not in on_disk(tmp_path)
        with store.begin() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM runs")) == 1


def on_disk(folder):
    """Every byte of a store and of the files beside it."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_while_somebody_reads_the_old_rows_forgetting_says_that_they_are_still_there(
    tmp_path, scored, no_verdicts
):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with (
        open_store(url, lock_timeout_seconds=0.1) as store,
        open_store(url, read_only=True) as reader,
    ):
        with save_run(store, scored[0], no_verdicts, Settings(), JUNE):
            pass
        with reader.reading() as connection:
            connection.execute(sa.text("SELECT * FROM stakeholders")).all()
            with pytest.raises(StoreFailed, match="is removed, but other processes still read"):
                forget_in_store(store, HANAKO)
        forget_in_store(store, HANAKO)
        assert "佐藤".encode() not in on_disk(tmp_path)


def test_sqlite_finds_a_name_in_other_capitals_of_any_script(tmp_path, scored, no_verdicts):
    with open_store(f"sqlite:///{tmp_path / 'store.sqlite'}") as store:
        with save_run(store, scored[0], no_verdicts, Settings(), JUNE):
            pass
        with store.begin() as connection:
            rows = sa.update(STORED_TABLES["summaries"]).values(summary="ÉMILE ΣΟΦΟΣ was there")
            connection.execute(rows)
        assert forget_in_store(store, Person("nobody", ("émile σοφος",))).counts == {
            "summaries texts": 2
        }


def test_a_text_stays_where_the_person_stood_in_other_runs_alone(
    store, run_of, scores_of, no_verdicts
):
    for n, people in enumerate((["C1"], [])):
        rows = {
            "scores": scores_of({"g": 0.9}),
            "themes": [{"group_id": "g", "contact_id": one, "theme": "web"} for one in people],
            "summaries": [{"group_id": "g", "summary": f"night {n}"}],
        }
        night = run_of(JUNE + n * DAY, rows)
        with save_run(store, night, no_verdicts, Settings(), JUNE + n * DAY):
            pass
    forget_in_store(store, Person("C1"))
    with store.reading() as connection:
        texts = [load_group(connection, "g", JUNE + n * DAY).summary for n in range(2)]
    assert texts == ["", "night 1"]


def test_the_outbox_forgets_without_losing_or_repeating_what_is_of_others(filled):
    payload = {
        "score": "90",
        "summary": "佐藤花子様 and Ann",
        "people": [{"id": "C1"}, {"id": "C10"}],
    }
    rows = [
        {"kind": "group", "object_id": "g", "payload": json.dumps(payload), "state": "sent"},
        {"kind": "alert", "object_id": "g 1", "payload": json.dumps(payload), "state": "pending"},
        {"kind": "group", "object_id": "h", "payload": '{"score": "60"}', "state": "pending"},
        {"kind": "group", "object_id": "C1", "payload": '{"score": "10"}', "state": "sent"},
        {"kind": "member", "object_id": "g/C1", "payload": '{"role": "user"}', "state": "sent"},
        {"kind": "member", "object_id": "g/C10", "payload": '{"role": "user"}', "state": "sent"},
    ]
    with filled.begin() as connection:
        connection.execute(
            sa.insert(outbox),
            [
                {"target": "crm", "payload_hash": "1", "sent_hash": "1", "attempts": 0, **row}
                for row in rows
            ],
        )
    done = forget_in_store(filled, HANAKO).counts
    assert (done["outbox rows"], done["outbox texts"]) == (1, 2)
    with filled.begin() as connection:
        left = {(r.kind, r.object_id): r for r in connection.execute(sa.select(outbox))}
    assert set(left) == {(row["kind"], row["object_id"]) for row in rows} - {("member", "g/C1")}
    for key in (("group", "g"), ("alert", "g 1")):
        assert json.loads(left[key].payload) == {
            "score": "90", "summary": "\N{EN DASH}様 and Ann", "people": [{"id": "C10"}],
        }  # fmt: skip
        assert left[key].payload_hash == "1"
    assert left["group", "C1"].payload == '{"score": "10"}'  # a group that is called like her


def test_without_a_name_what_was_sent_of_her_groups_is_emptied_and_the_rest_goes(filled):
    with filled.begin() as connection:
        connection.execute(
            sa.insert(outbox),
            [
                {"target": "crm", "kind": "group", "object_id": group_id, "payload": '{"s": "Ann"}',
                 "payload_hash": "1", "state": state, "attempts": 0}
                for group_id, state in (("g", "sent"), ("g-note", "pending"), ("h", "sent"))
            ],
        )  # fmt: skip
    forget_in_store(filled, Person("C1"))
    with filled.begin() as connection:
        left = {r.object_id: r.payload for r in connection.execute(sa.select(outbox))}
    assert left == {"g": "{}", "h": '{"s": "Ann"}'}


def test_a_person_goes_from_the_parquet_tables(tmp_path, scored):
    write_score_tables(scored[0], tmp_path)
    assert cleared(forget_in_tables, tmp_path, HANAKO) == EXPECTED
    left = read_score_tables(tmp_path)
    text = str([getattr(left, name).to_pylist() for name in ("scores", "stakeholders", "actions")])
    assert "佐藤" not in text
    assert "'C1'" not in text
    assert left.horizons.equals(scored[0].horizons)
    assert left.summaries["summary"].to_pylist() == ["", "C10 carries the score"]
    assert cleared(forget_in_tables, tmp_path, HANAKO) == {}


def test_tables_that_name_nobody_are_not_written_again(tmp_path, scored):
    write_score_tables(scored[0], tmp_path)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    cleared(forget_in_tables, tmp_path, Person("C10", ("Nobody",)))
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert after["horizons.parquet"] == before["horizons.parquet"]
    assert after["stakeholders.parquet"] != before["stakeholders.parquet"]
    assert pq.read_table(tmp_path / "stakeholders.parquet")["contact_id"].to_pylist() == ["C1"]


def test_a_folder_without_tables_or_pages_is_refused(tmp_path):
    with pytest.raises(BadInput, match="expected a folder that `mqbg score` wrote"):
        cleared(forget_in_tables, tmp_path, HANAKO)
    with pytest.raises(BadInput, match="expected a folder that `mqbg report` wrote"):
        cleared(forget_in_pages, tmp_path, HANAKO)


def test_pages_of_groups_give_way_and_a_dash_stands_elsewhere(tmp_path):
    person = Person("C1", ("O'Neil & <Co>",))
    (tmp_path / "groups").mkdir()
    escaped = "O&#39;Neil &amp; &lt;Co&gt;"
    (tmp_path / "index.html").write_text(f"<td>{escaped}</td><td>Ann</td>", encoding="utf-8")
    (tmp_path / "groups" / "g.html").write_text(f"<h1>{escaped}</h1>", encoding="utf-8")
    (tmp_path / "groups" / "h.html").write_text("<h1>Ann</h1>", encoding="utf-8")
    done = cleared(forget_in_pages, tmp_path, person)
    assert done == {"pages removed": 1, "pages changed": 1}
    assert (tmp_path / "index.html").read_text() == "<td>\N{EN DASH}</td><td>Ann</td>"
    assert "removed at a person" in (tmp_path / "groups" / "g.html").read_text()
    assert (tmp_path / "groups" / "h.html").read_text() == "<h1>Ann</h1>"
    assert cleared(forget_in_pages, tmp_path, person) == {}


@pytest.mark.parametrize(
    ("names", "text", "mentioned"),
    [
        (("Ann Lee",), "Ann Lee's page", True),
        (("Ann Lee",), "ANN LEE", True),
        (("Ann",), "Anna and Joann", False),
        (("花子",), "佐藤花子様", True),
        (("佐藤\n花子",), "佐藤 花子様", True),  # as a sentence writes it
        (("Zoë",), "Zoëlle", False),
        (("(a|b)",), "a", False),
        (("(a|b)",), "x (a|b) y", True),
        ((), "C1 and others", True),
        ((), "C10, AC1", False),
        ((), "", False),
        ((), None, False),
    ],
)
def test_a_text_mentions_a_person_by_whole_words(names, text, mentioned):
    assert Person("C1", names).is_named_in(text) == mentioned


SENT = {
    "payload": '{"summary": "about 佐藤花子"}', "payload_hash": "1", "sent_hash": "1",
    "state": "sent", "attempts": 0, "remote_id": "R7",
}  # fmt: skip


def fill_outbox(store, *rows):
    with store.begin() as connection:
        connection.execute(sa.insert(outbox), [{**SENT, **row} for row in rows])


def test_what_was_sent_is_listed_with_its_remote_ids(filled):
    fill_outbox(
        filled,
        {"target": "hubspot", "kind": "note", "object_id": "g"},
        {"target": "slack", "kind": "alert", "object_id": "g 1", "remote_id": None},
        {"target": "sql", "kind": "group", "object_id": "g", "payload": '{"score": "90"}'},
        {"target": "jsonl", "kind": "group", "object_id": "h", "state": "pending",
         "sent_hash": None},
    )  # fmt: skip
    copies = sorted(map(str, forget_in_store(filled, HANAKO).copies))
    assert copies == ["hubspot: note g (id R7)", "slack: alert g 1 (no id of its own is known)"]


@pytest.mark.parametrize("contact_id", ["C 1/é@x", "C1"])
def test_a_member_s_row_is_found_by_keys_that_hold_no_id_and_by_those_of_before(filled, contact_id):
    keys = [stakeholder_id("g", contact_id), f"h:{quote(contact_id, safe='')}"]
    assert contact_id not in keys[0]
    other = stakeholder_id("g", f"{contact_id}0")
    rows = [{"target": "salesforce", "kind": "member", "object_id": key, "payload": "{}"}
            for key in (*keys, other)]  # fmt: skip
    fill_outbox(filled, *rows)
    forgotten = forget_in_store(filled, Person(contact_id, ("Somebody",)))
    assert sorted((one.kind, one.object_id) for one in forgotten.copies) == [
        ("member", "g"), ("member", "h")
    ]  # fmt: skip
    with filled.begin() as connection:
        assert connection.execute(sa.select(outbox.c.object_id)).scalars().all() == [other]


def test_every_file_that_names_the_person_is_changed_and_no_other(tmp_path):
    person = Person("C1", ("Ann Lee", "ann@example.com"))
    written = {
        "mqbg-push.jsonl": '{"id":"g","summary":"Ann Lee is in"}\n{"id":"h","summary":"Bob"}\n',
        "list.csv": "id,name\nC1,Ann Lee\nC10,Bob\nC2,met Ann Lee\n",
        "report.json": '{"people": [{"id": "C1", "x": 1}, {"id": "C10"}], "to": "ann@example.com"}',
        "notes.md": "Ask ann lee. C1 and C10.",
        "plain.txt": "nobody",
    }
    for name, text in written.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    table = pa.table({"contact_id": ["C1", "C10"], "full_name": ["Ann Lee", "Ann Lee's friend"]})
    (tmp_path / "import").mkdir()
    pq.write_table(table, tmp_path / "import" / "contacts.parquet")
    (tmp_path / "import" / "again").symlink_to(tmp_path)
    assert cleared(forget_in_files, tmp_path, person) == {"files changed": 5}
    assert searched(tmp_path, "Ann Lee", "ann lee", "ann@example.com") == []
    kept = pq.read_table(tmp_path / "import" / "contacts.parquet").to_pylist()
    assert kept == [{"contact_id": "C10", "full_name": "\N{EN DASH}'s friend"}]
    assert (tmp_path / "list.csv").read_text() == "id,name\nC10,Bob\nC2,met \N{EN DASH}\n"
    assert json.loads((tmp_path / "report.json").read_text())["people"] == [{"id": "C10"}]
    assert '{"id":"h","summary":"Bob"}' in (tmp_path / "mqbg-push.jsonl").read_text()
    assert cleared(forget_in_files, tmp_path, person) == {}


def searched(folder, *texts):
    """The files that hold one of some texts, as bytes, or as the rows of a table."""
    found = []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += str(pq.read_table(path).to_pylist()).encode()
        found += [path.name for text in texts if text.encode() in content]
    return found


def test_a_file_that_cannot_be_changed_in_place_is_refused_where_it_names_the_person(tmp_path):
    (tmp_path / "old.duckdb").write_bytes(b"\xff Ann Lee")
    with pytest.raises(BadInput, match=r"old\.duckdb names the person"):
        cleared(forget_in_files, tmp_path, Person("C1", ("Ann Lee",)))
    assert cleared(forget_in_files, tmp_path, Person("C1", ("Bob",))) == {}


def test_links_are_followed_and_modes_are_kept(tmp_path):
    real = tmp_path / "elsewhere.jsonl"
    real.write_text('{"id":"g","summary":"Ann"}\n')
    real.chmod(0o640)
    link = tmp_path / "mqbg-push.jsonl"
    link.symlink_to(real)
    cleared(forget_in_files, link, Person("C1", ("Ann",)))
    assert link.is_symlink()
    assert "Ann" not in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_full_disk_leaves_everything_and_says_so(tmp_path, scored, monkeypatch):
    write_score_tables(scored[0], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = []

    def full(table, path, **_options):
        calls.append(path)
        if len(calls) == 2:  # the first table is written aside by then
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(b"something")

    monkeypatch.setattr("mqbg.serve.forget.score_files.pq.write_table", full)
    with pytest.raises(StoreFailed, match="nothing was removed anywhere"):
        cleared(forget_in_tables, tmp_path, HANAKO)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_wait_until_the_store_has_forgotten(filled, tmp_path, monkeypatch):
    path = tmp_path / "mqbg-push.jsonl"
    path.write_text('{"id":"g","summary":"佐藤花子"}\n', encoding="utf-8")

    def full(*_arguments):
        raise StoreFailed("the disk is full; nothing of this run was kept")

    with staged_files() as files:
        forget_in_files(path, HANAKO, files)
        with monkeypatch.context() as patch:
            patch.setattr("mqbg.serve.forget.store_rows.forget_in_outbox", full)
            with pytest.raises(StoreFailed):
                forget_in_store(filled, HANAKO, files)
    assert "佐藤花子" in path.read_text(encoding="utf-8")
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
    assert forget_in_store(filled, HANAKO).counts == IN_STORE  # nothing had been removed


def test_a_second_file_that_cannot_be_replaced_is_named_as_what_is_left(
    filled, tmp_path, everything, monkeypatch
):
    folder = tmp_path / "written"
    folder.mkdir()
    paths = [folder / name for name in ("a.md", "b.md", "c.md")]
    for path in paths:
        path.write_text("Ask 佐藤花子", encoding="utf-8")
    real, calls = Path.replace, []

    def refused(aside, final):
        calls.append(final)
        if len(calls) == 2:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(aside, final)

    with staged_files() as files:
        forget_in_files(folder, HANAKO, files)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refused)
            with pytest.raises(StoreFailed) as failed:
                forget_in_store(filled, HANAKO, files)
    assert str(failed.value) == (
        f"forget: the person is removed from the store, but not from {paths[1]}, {paths[2]}: "
        "Permission denied; fix that and run the command again"
    )
    assert "佐藤" not in str(everything(filled))
    named = ["佐藤花子" in path.read_text(encoding="utf-8") for path in paths]
    assert named == [False, True, True]
    assert sorted(folder.iterdir()) == paths  # what was written aside is gone
    assert cleared(forget_in_files, folder, HANAKO) == {"files changed": 2}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_database_that_cannot_be_written_again_says_what_is_done(filled, monkeypatch):
    def full(_store):
        raise StoreFailed("x") from OSError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("mqbg.serve.forget.store_rows._vacuum", full)
        with pytest.raises(StoreFailed, match="the person is removed, but old pages"):
            forget_in_store(filled, HANAKO)
    assert forget_in_store(filled, HANAKO).counts == {}


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_small_disk_that_is_really_full_leaves_everything(tmp_path, scored):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        write_score_tables(scored[0], disk)
        before = {path.name: path.read_bytes() for path in disk.iterdir()}
        with suppress(OSError):
            (disk / "filler").write_bytes(b"x" * 300_000)
        with pytest.raises(StoreFailed, match="nothing was removed anywhere"):
            cleared(forget_in_tables, disk, HANAKO)
        (disk / "filler").unlink()
        assert {path.name: path.read_bytes() for path in disk.iterdir()} == before
        assert cleared(forget_in_tables, disk, HANAKO) == EXPECTED
    finally:
        subprocess.run(["umount", disk], check=True)
