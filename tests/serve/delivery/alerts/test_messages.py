"""What alerts say, and that no name can say anything else."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.explain.language import load_language
from mqbg.serve.delivery.alerts.messages import (
    FORMATTERS,
    Block,
    digest_blocks,
    escape_slack,
    escape_teams,
    message_blocks,
    slack_message,
    teams_message,
)
from mqbg.serve.delivery.alerts.triggers import FELL, LEFT, QUALIFIED, Alert
from mqbg.serve.store.queries import Group

AT = datetime(2025, 3, 1)
SUMMARY = "Orion & Co: Ledger\nReadiness 61%.\nMissing: champion."
GROUP = Group(
    score={
        "group_id": "g/1",
        "as_of": AT,
        "threshold": 0.5,
        "top_reasons": ["Engagement raises the score."],
    },
    stakeholders=[{"summary": "Mori <Aya> (user): +3.2 points. Last active on March 1."}],
    actions=[{"text": "Find somebody in the role champion."}],
    summary=SUMMARY,
)
NO_WIDTH = "\N{ZERO WIDTH SPACE}"
LINK = "https://pages.example/{group_id}.html?from=chat"


def said(channel: str, cause: str = QUALIFIED, language: str = "en", **facts) -> str:
    alert = Alert("k", "g/1", AT, cause, facts)
    message = FORMATTERS[channel](message_blocks(alert, GROUP, load_language(language), LINK))
    return json.dumps(message, ensure_ascii=False)


@pytest.mark.parametrize("channel", ["slack", "teams", "email"])
def test_everything_a_salesperson_needs_is_said(channel):
    text = said(channel).replace("\\", "")
    for part in ("ready for sales", "Ledger, as of March 1, 2025 (threshold 50.0%)",
                 "Readiness 61%", "Missing: champion", "+3.2 points",
                 "Engagement raises", "Find somebody in the role champion", "Last active",
                 "https://pages.example/g%2F1.html?from=chat"):  # fmt: skip
        assert part in text


def test_japanese_has_japanese_headlines():
    text = said("email", language="ja")
    assert "営業対象（MQBG）の購買グループ" in text
    assert "関係者" in text


def test_a_fall_names_its_numbers():
    assert "from 90 to 60 (30 points)" in said("email", FELL, before=90, after=60, points=30)


def test_a_loss_names_who_left():
    assert "Until then: Mori {x}" in said("email", LEFT, person="Mori {x}")


def test_slack_s_own_signs_are_escaped():
    text = said("slack")
    assert "Mori &lt;Aya&gt;" in text
    assert "Orion &amp; Co" in text
    assert "<!channel>" not in json.dumps(slack_message([Block("line", "<!channel> & <@U1>")]))


@given(st.text())
def test_no_text_opens_a_mention_or_a_link_in_slack(text):
    escaped = escape_slack(text)
    assert "<" not in escaped
    assert ">" not in escaped
    back = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert back.replace(NO_WIDTH, "") == text.replace(NO_WIDTH, "")
    for sign in "*_~`@":
        assert escaped.count(sign) == escaped.count(f"{NO_WIDTH}{sign}{NO_WIDTH}")
    assert "://" not in escaped.replace(f"{NO_WIDTH}://{NO_WIDTH}", "")


@given(st.text(alphabet="ab\\*_[]()#-<>!`|~"))
def test_every_sign_of_markdown_is_escaped_for_teams(text):
    escaped, place = escape_teams(text), 0
    for letter in text:
        if letter not in "ab":
            assert escaped[place] == "\\"
            place += 1
        assert escaped[place] == letter
        place += 1
    assert place == len(escaped)


def test_a_teams_message_is_an_adaptive_card_as_workflows_take_it():
    message = teams_message([Block("headline", "x"), Block("line", "a_b")])
    (attachment,) = message["attachments"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["type"] == "AdaptiveCard"
    assert attachment["content"]["body"] == [
        {"type": "TextBlock", "text": "**x**", "wrap": True},
        {"type": "TextBlock", "text": r"a\_b", "wrap": True},
    ]


@pytest.mark.parametrize(
    ("link", "addresses"), [("https://x.example/{group_id}", ["https://x.example/g%2F1"]), ("", [])]
)
def test_a_card_has_a_button_where_there_is_a_link(link, addresses):
    alert = Alert("k", "g/1", AT, QUALIFIED)
    message = teams_message(message_blocks(alert, GROUP, load_language("en"), link))
    actions = message["attachments"][0]["content"]["actions"]
    assert [action["url"] for action in actions] == addresses
    assert all(action["type"] == "Action.OpenUrl" and action["title"] for action in actions)


def test_400_stakeholders_fit_what_slack_and_teams_take():
    blocks = [Block("headline", "x"), *(Block("item", f"{n} " + "y" * 300) for n in range(400))]
    sections = slack_message(blocks)["blocks"]
    assert len(sections) <= 50
    assert max(len(section["text"]["text"]) for section in sections) <= 3000
    assert sum(len(section["text"]["text"]) for section in sections) < 12_000
    assert all(section["text"]["verbatim"] for section in sections)
    assert len(json.dumps(teams_message(blocks))) <= 28_000


def test_the_address_of_a_link_stays_as_it_is_in_slack():
    address = "https://pages.example/a_b*c?x=1&y=~2"
    (section,) = slack_message([Block("headline", "x"), Block("link", "open", address)])["blocks"]
    assert f"<{address.replace('&', '&amp;')}|open>" in section["text"]["text"]


@pytest.mark.parametrize("channel", ["slack", "teams", "email"])
def test_a_digest_names_groups_and_what_happened_within_every_limit(channel):
    fell = Alert("k", "g/1", AT, FELL, {"before": 90, "after": 60, "points": 30})
    blocks = digest_blocks([(fell, GROUP)] * 165, load_language("en"), LINK)
    message = FORMATTERS[channel](blocks)
    text = json.dumps(message, ensure_ascii=False).replace("\\", "")
    assert "165 changes in buying groups" in text
    assert "Ledger, as of March 1, 2025 (threshold 50.0%): The score fell from 90 to 60" in text
    assert "https://pages.example/g%2F1.html?from=chat" in text
    assert len(json.dumps(message)) <= 28_000


def test_a_line_break_in_a_name_opens_no_line():
    group = Group(score=GROUP.score | {"top_reasons": ["a\nb\u2028c"]}, summary=SUMMARY)
    blocks = message_blocks(Alert("k", "g", AT, QUALIFIED), group, load_language("en"), "")
    assert "a b c" in [block.text for block in blocks]
