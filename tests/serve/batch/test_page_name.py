"""File names of pages."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st
from mqbg.serve.batch.page_name import page_name


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.text(), min_size=2, max_size=20, unique=True))
@example(["g1", "G1", "g-1", "g_1", "g 1"])
def test_page_names_differ_and_any_system_takes_them(group_ids):
    names = [page_name(group_id) for group_id in group_ids]
    assert len(set(names)) == len(group_ids)
    assert all(re.fullmatch(r"[a-z0-9-]{1,54}\.html", name) for name in names)
