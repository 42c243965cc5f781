"""Every column that is written is explained, and nothing else is."""

from __future__ import annotations

from mqbg.serve.batch.score_columns import COLUMN_MEANINGS
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS


def test_every_column_of_every_table_has_a_meaning_and_no_other_has_one():
    written = {table: schema.names for table, schema in SCORE_SCHEMAS.items()}
    assert {table: list(columns) for table, columns in COLUMN_MEANINGS.items()} == written
