"""A name is found however a file, a page or a message writes it."""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import zipfile
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import escape
from mqbg.contract import BadInput
from mqbg.serve.delivery.alerts.messages import escape_slack, escape_teams
from mqbg.serve.delivery.outbox.outbox_table import outbox
from mqbg.serve.forget.person import Person
from mqbg.serve.forget.score_files import forget_in_pages
from mqbg.serve.forget.staged_files import staged_files
from mqbg.serve.forget.store_rows import forget_in_store
from mqbg.serve.forget.written_files import forget_in_files
from mqbg.support.csv_export import csv_text

NAMES = ('Ken "Bob" O\'Neil', '山田"太郎"', "Zoë <&> Co", "a_b*c~@example.jp", "\U00020bb7野 家")


def as_csv(name):
    text = io.StringIO()
    csv.writer(text).writerow([name, "x"])
    return text.getvalue()


WRITERS = {
    "text": str,
    "JSON": json.dumps,
    "JSON with all letters": lambda name: json.dumps(name, ensure_ascii=False),
    "JSON in JSON": lambda name: json.dumps(json.dumps([name])),
    "HTML": html.escape,
    "HTML of the pages": lambda name: str(escape(name)),
    "HTML in ASCII": lambda name: html.escape(name).encode("ascii", "xmlcharrefreplace").decode(),
    "HTML by numbers": lambda name: "".join(
        c if c.isascii() and c.isalnum() else f"&#x{ord(c):X};" for c in name
    ),
    "CSV": as_csv,
    "SQL": lambda name: name.replace("'", "''"),
    "an address": lambda name: f"https://example.com/?q={quote(name, safe='')}&x=1",
    "Slack": lambda name: json.dumps(escape_slack(name)),
    "Teams": lambda name: json.dumps(escape_teams(name)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_name_is_found_in_each_spelling_and_leaves_nothing(writer, name):
    person = Person("C1", (name,))
    written = WRITERS[writer](name)
    assert person.is_named_in(written)
    left = person.pattern.sub("", written)
    assert not any(letter.isalpha() for letter in name if letter in left and writer == "text")
    assert not person.is_named_in(left)


@given(
    name=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12),
    writer=st.sampled_from(sorted(WRITERS)),
)
@example(name="\\", writer="JSON in JSON")
@example(name="..", writer="an address")
@example(name='\\"0', writer="CSV")
@example(name='0\\"\\"x', writer="CSV")
def test_any_name_is_found_in_any_spelling(name, writer):
    assert Person("C1", (name,)).is_named_in(WRITERS[writer](name))


@given(signs=st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12))
@example(signs='"')
@example(signs='\\"')
def test_a_text_of_json_stays_json_when_a_name_goes(signs):
    name = f"Q{signs}Z{signs}"
    text = Person("C1", (name,)).pattern.sub("–", json.dumps([f"met {name}", 1]))
    assert json.loads(text) == ["met –", 1]


@pytest.mark.parametrize("text", ["Joann O'Neill", "Ken. Bobby", "山田花子", "a.b*c@example.jp"])
def test_a_like_name_is_not_the_persons(text):
    assert not Person("C1", ("Ann O'Neil", "Ken B", '山田"太郎"', "a_b*c@example.jp")).is_named_in(
        text
    )


@pytest.mark.parametrize("before", ["\\n", "\\t", "\\u3000", "%2C", "&nbsp;"])
def test_an_escape_before_a_name_is_no_part_of_a_word(before):
    assert Person("C1", ("Ann Lee",)).is_named_in(f"met{before}Ann Lee")


def cleared(forget, path, person):
    with staged_files() as files:
        counts = forget(path, person, files)
        files.commit()
    return counts


@pytest.mark.parametrize("name", NAMES)
def test_the_data_of_the_portfolio_loses_a_name_and_stays_whole(tmp_path, name):
    (tmp_path / "groups").mkdir()
    (tmp_path / "index.html").write_text(f"<p>{escape(name)}</p>", encoding="utf-8")
    rows = [["g1", name, 3], ["g2", f'with {name}, "x"', 4]]
    script = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    (tmp_path / "portfolio.js").write_text(f"globalThis.portfolioData = {script};\n", "utf-8")
    (tmp_path / "portfolio.csv").write_text(csv_text(["id", "who", "n"], rows), "utf-8", newline="")
    assert cleared(forget_in_pages, tmp_path, Person("C1", (name,))) == {"pages changed": 3}
    text = (tmp_path / "portfolio.js").read_text("utf-8")
    assert json.loads(text.partition(" = ")[2].rstrip(";\n")) == [
        ["g1", "–", 3], ["g2", 'with –, "x"', 4]
    ]  # fmt: skip
    with (tmp_path / "portfolio.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file))[1:] == [["g1", "–", "3"], ["g2", 'with –, "x"', "4"]]


@pytest.mark.parametrize("writer", ["Slack", "Teams"])
def test_an_alert_in_the_outbox_loses_a_name(store, writer):
    for name in NAMES:
        payload = json.dumps({"text": json.loads(WRITERS[writer](f"{name} left"))})
        row = {"target": "slack", "kind": "alert", "object_id": name, "payload": payload,
               "payload_hash": "1", "state": "sent", "attempts": 0}  # fmt: skip
        with store.begin() as connection:
            connection.execute(sa.insert(outbox), [row])
        assert forget_in_store(store, Person("C1", (name,))).counts == {"outbox texts": 1}, name
        with store.begin() as connection:
            kept = connection.execute(sa.select(outbox.c.payload)).scalars().all()
            connection.execute(sa.delete(outbox))
        assert [json.loads(text) for text in kept] == [{"text": "– left"}], name


def test_a_row_of_csv_goes_with_all_its_lines(tmp_path):
    path = tmp_path / "refused.csv"
    path.write_text('id,text\nC1,"a\nb"\nC2,"c ""d""\ne"\n', "utf-8")
    cleared(forget_in_files, path, Person("C1", ("Ann Lee",)))
    assert path.read_text("utf-8") == 'id,text\nC2,"c ""d""\ne"\n'


def test_lists_and_records_of_parquet_lose_a_name(tmp_path):
    path = tmp_path / "scores.parquet"
    pq.write_table(
        pa.table({"reasons": [["Ann Lee asked", "x"]], "of": [{"who": "Ann Lee"}]}), path
    )
    cleared(forget_in_files, path, Person("C1", ("Ann Lee",)))
    assert pq.read_table(path).to_pylist() == [{"reasons": ["– asked", "x"], "of": {"who": "–"}}]


def test_a_json_object_loses_what_is_kept_under_the_persons_id(tmp_path):
    path = tmp_path / "people.json"
    path.write_text('{"C1": {"city": "Kobe"}, "C2": {"city": "Nara"}}', "utf-8")
    cleared(forget_in_files, path, Person("C1", ("Ann Lee",)))
    assert json.loads(path.read_text("utf-8")) == {"C2": {"city": "Nara"}}


@pytest.mark.parametrize("name", ["workbook.xlsx", "lines.csv.gz", "wide.csv", "japan.csv"])
def test_a_packed_file_or_one_in_another_encoding_is_refused_where_it_names_the_person(
    tmp_path, name
):
    path, text = tmp_path / name, 'x,"山田 ""太郎"""\n'
    if name.endswith(".xlsx"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/sharedStrings.xml", "<t>山田 &quot;太郎&quot;</t>")
    else:
        encoded = {"lines.csv.gz": "utf-8", "wide.csv": "utf-16", "japan.csv": "cp932"}[name]
        content = text.encode(encoded)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(BadInput, match=f"{name} names the person"):
        cleared(forget_in_files, path, Person("C1", ('山田 "太郎"',)))
    assert cleared(forget_in_files, path, Person("C9", ("Bob",))) == {}
