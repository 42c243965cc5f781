"""Texts that stand for no value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mqbg.source.null_texts import BLANKS, NULL_TEXTS, are_plain_texts, is_null_text

PARTS = st.sampled_from([*NULL_TEXTS, *BLANKS, "a", "Nan", "g-1", "山田"])
TEXTS = st.lists(PARTS, min_size=1, max_size=3).map("".join)


@given(st.sets(TEXTS, max_size=6), st.booleans())
def test_among_plain_texts_none_stands_for_no_value(texts, words):
    if are_plain_texts(texts, words=words):
        assert not any(is_null_text(text, words=words) for text in texts)


@given(st.sets(st.text("abc-123", min_size=1)))
def test_ids_are_plain(ids):
    assert are_plain_texts(ids)
    assert not are_plain_texts({*ids, "null"})
    assert are_plain_texts({*ids, "null"}, words=False)
