from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from mqbg.contract import TABLES, BadInput, schema

DESIGN = Path(__file__).parents[1].parent / "shared" / "design.md"


def designed_tables() -> dict[str, list[str]]:
    """The table of tables in the design: name (with its `?`) to columns (with theirs)."""
    section = DESIGN.read_text(encoding="utf-8").split("## Tables (the contract)")[1]
    lines = re.findall(r"^\| (\w+\??) \| (.+) \|$", section.split("## Settings")[0], re.MULTILINE)
    bare = {name: re.sub(r"\([^)]*\)", "", columns) for name, columns in lines if name != "table"}
    return {name: [c.strip() for c in columns.split(",")] for name, columns in bare.items()}


@pytest.mark.skipif(not DESIGN.exists(), reason="the design is not part of the repository")
def test_tables_and_columns_are_those_of_the_design():
    ours = {
        name + ("" if table.required else "?"): [
            column.name + ("" if column.required else "?") for column in table.columns
        ]
        for name, table in TABLES.items()
    }
    assert ours == designed_tables()


def test_a_table_stands_after_every_table_it_refers_to():
    names = list(TABLES)
    for table in TABLES.values():
        for column in table.columns:
            if column.references is not None:
                assert names.index(column.references) < names.index(table.name)


def test_a_table_that_is_referred_to_has_one_key_column_that_stands_once():
    for table in TABLES.values():
        for column in table.columns:
            if column.references is not None:
                parent = TABLES[column.references]
                assert parent.once
                assert len(parent.key) == 1


def test_keys_are_columns_of_their_table():
    for table in TABLES.values():
        assert set(table.key) <= set(table.column_names)


def test_a_required_column_is_never_nullable():
    for table in TABLES.values():
        for column in table.columns:
            assert column.required != column.nullable


def test_times_are_microseconds_without_zone():
    fields = schema("members").to_pyarrow()
    assert fields.field("joined_at").type == pa.timestamp("us")


def test_an_unknown_column_is_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"solutions has no column 'colour'.*solution_id"):
        TABLES["solutions"].column("colour")


def test_bad_input_reads_as_its_sentence():
    assert str(BadInput("expected a folder")) == "expected a folder"
