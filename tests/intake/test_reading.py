"""Text files however they are encoded and separated, and what is refused."""

import gzip

import pytest
from mqbg.contract import BadInput
from mqbg.intake.reading import read_raw
from mqbg.intake.staging import connect

ROWS = "氏名\t会社名\n田中 太郎\t株式会社アクシス\n鈴木 花子\t合同会社ベータ\n"


def read(tmp_path, name, content):
    source, scratch = tmp_path / "src", tmp_path / "scratch"
    source.mkdir()
    scratch.mkdir()
    (source / name).write_bytes(content)
    con = connect(scratch)
    try:
        (raw,) = read_raw(con, str(source), scratch)
        return raw.columns, con.table(raw.relation).fetchall()
    finally:
        con.close()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp932", "euc_jp", "utf-16", "iso2022_jp"]
)
@pytest.mark.parametrize("before", ["", "商談レポート\n作成日 2024-06-01\n\n"])
def test_the_same_rows_are_read_whatever_the_encoding_and_the_lines_before(
    tmp_path, encoding, before
):
    columns, rows = read(tmp_path, "cards.tsv", (before + ROWS).encode(encoding))
    assert columns == ("氏名", "会社名")
    assert rows == [("田中 太郎", "株式会社アクシス"), ("鈴木 花子", "合同会社ベータ")]


def test_a_packed_file_is_unpacked(tmp_path):
    columns, rows = read(tmp_path, "cards.csv.gz", gzip.compress(ROWS.replace("\t", ",").encode()))
    assert (columns, len(rows)) == (("氏名", "会社名"), 2)


def test_bytes_that_are_no_text_are_refused_with_their_place(tmp_path):
    with pytest.raises(BadInput, match=r"cards\.csv.*export it again as UTF-8"):
        read(
            tmp_path,
            "cards.csv",
            "氏名,会社名\n田中,アクシス\n".encode()[:-3] + b"\xff\xfe\xfd\n" * 4,
        )
