"""Settings of states and store: their rules, and that no model carries them."""

from __future__ import annotations

import pytest
from mqbg.contract import BadInput
from mqbg.settings import (
    DELIVERY_SECTIONS,
    Settings,
    StateSettings,
    StoreSettings,
    load_settings,
    model_settings_values,
    settings_from_values,
    settings_values,
)

WHOLE = """
[states]
leave_below = 0.7
dwell_days = 7
recycle_days = 30
sent_back_reasons = ["later"]
alert_pause_days = 1.5
stagnant_days = 60
[store]
url = "postgresql+psycopg://owner:hush@host/db"
retention_days = 400
lock_timeout_seconds = 5
"""


def loaded(tmp_path, text):
    path = tmp_path / "mqbg.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_every_key_is_read(tmp_path):
    settings = loaded(tmp_path, WHOLE)
    assert settings.states == StateSettings(0.7, 7, 30, ("later",), 1.5, 60)
    assert settings.store == StoreSettings("postgresql+psycopg://owner:hush@host/db", 400, 5)


@pytest.mark.parametrize(
    "text",
    [
        "[states]\nleave_below = 0",
        "[states]\nleave_below = 1.01",
        "[states]\ndwell_days = -1",
        "[states]\nrecycle_days = 1e9",
        "[states]\nalert_pause_days = -0.1",
        "[store]\nretention_days = -1",
        "[store]\nlock_timeout_seconds = 3601",
        "[store]\nurl = 7",
        "[states]\ndwel_days = 3",
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_key(tmp_path, text):
    with pytest.raises(BadInput, match=text.split("\n")[1].split(" ")[0]):
        loaded(tmp_path, text)


def test_a_model_carries_nothing_of_what_becomes_of_its_scores(tmp_path):
    settings = loaded(tmp_path, WHOLE)
    tree = model_settings_values(settings)
    assert set(settings_values(settings)) - set(tree) == set(DELIVERY_SECTIONS)
    assert {"states", "store"} <= set(DELIVERY_SECTIONS)
    assert "hush" not in str(tree)
    assert settings_from_values(tree, "test").states == Settings().states
