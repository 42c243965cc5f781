"""Where a target points: another place has another fingerprint, another secret has not."""

from __future__ import annotations

import pytest
from mqbg.serve.delivery.targets.endpoint import endpoint_of
from mqbg.settings import Settings
from mqbg.settings.delivery import (
    DynamicsSettings,
    HubSpotSettings,
    JsonLinesSettings,
    PushSettings,
    SalesforceSettings,
    SqlSettings,
)

DATABASE = "postgresql://feeder:one@db.example/sales"


def place(name, section) -> str:
    return endpoint_of(name, Settings(push=PushSettings(**{name: section}))).fingerprint


def sql_place(monkeypatch, url, **own) -> str:
    monkeypatch.setenv("MQBG_PUSH_SQL_URL", url)
    return place("sql", SqlSettings(**own))


@pytest.mark.parametrize(
    ("name", "kind", "before", "after"),
    [
        ("jsonl", JsonLinesSettings, {"path": "a.jsonl"}, {"path": "b.jsonl"}),
        ("jsonl", JsonLinesSettings, {"path": "a.jsonl"}, {"path": "-"}),
        ("hubspot", HubSpotSettings, {}, {"url": "https://api-eu1.hubapi.com"}),
        ("hubspot", HubSpotSettings, {}, {"object_type": "p_groups"}),
        ("salesforce", SalesforceSettings, {"url": "https://a.example"},
         {"url": "https://b.example"}),
        ("dynamics", DynamicsSettings, {"url": "https://a.example"}, {"url": "https://b.example"}),
    ],
)  # fmt: skip
def test_another_place_has_another_fingerprint(name, kind, before, after):
    assert place(name, kind(**before)) == place(name, kind(**before))
    assert place(name, kind(**before)) != place(name, kind(**after))


@pytest.mark.parametrize(
    ("url", "table"),
    [
        (DATABASE, "other"),
        (DATABASE, "other.mqbg_scores"),
        ("postgresql://feeder:one@db.example/other", "mqbg_scores"),
        ("postgresql://feeder:one@db2.example/sales", "mqbg_scores"),
        (f"{DATABASE}?options=-csearch_path%3Dother", "mqbg_scores"),
    ],
    ids=["table", "schema", "database", "host", "search path"],
)
def test_another_table_has_another_fingerprint(monkeypatch, url, table):
    assert sql_place(monkeypatch, url, table=table) != sql_place(monkeypatch, DATABASE)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://feeder:two@db.example/sales",
        "postgresql://feeder@db.example/sales?password=two",
        f"{DATABASE}?sslpassword=two",
    ],
)
def test_another_password_of_a_database_has_the_same_fingerprint(monkeypatch, url):
    assert sql_place(monkeypatch, url) == sql_place(monkeypatch, DATABASE)


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("hubspot", HubSpotSettings()),
        ("salesforce", SalesforceSettings(url="https://a.example")),
        ("dynamics", DynamicsSettings(url="https://a.example")),
    ],
)
def test_another_token_has_the_same_fingerprint(monkeypatch, name, section):
    before = place(name, section)
    monkeypatch.setenv(f"MQBG_{name.upper()}_TOKEN", "another")
    assert place(name, section) == before
