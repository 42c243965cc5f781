"""What an alert says, and how each channel wants it written."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ....explain.language import Language
from ....explain.summaries import dated_summary, short_form
from ...store.queries import Group
from ..desired_records import group_url
from .triggers import LEFT, Alert

FALLBACK_LANGUAGE = "en"
SLACK_SECTION_LENGTH = 2900  # characters; Slack takes 3,000 in a section ...
MAX_SLACK_SECTIONS = 45  # ... and 50 blocks
MAX_TEAMS_BYTES = 24_000  # Teams takes 28 KB
MAX_LINE_LENGTH = 600  # characters of one line of an alert
MAX_SUBJECT_LENGTH = 150
MAX_SLACK_LENGTH = 11_000  # characters of all sections; Slack takes 12,000 of a message
MAX_DIGEST_LINES = 50  # groups that a digest names
MAX_TEAMS_ACTIONS = 6  # buttons that a card shows


@dataclass(frozen=True, slots=True)
class Block:
    """A line of a message.

    Attributes:
        kind: headline, heading, line, title, item, person or link.
        text: on one line.
        url: of a link.
    """

    kind: str
    text: str
    url: str = ""


def message_blocks(alert: Alert, group: Group, language: Language, link: str) -> list[Block]:
    """What an alert says: what happened, how ready the group is and why, who is in it.

    Args:
        alert: what happened.
        group: as the run found it; its texts are in the language it was scored in.
        language: of headline and titles. A language we have no headlines in has English ones.
        link: template of [alerts] link.
    """
    sentences, labels = _load_sentences(language.code), language.word_tables["labels"]
    heading, *lines = _dated_summary(group, alert, language).split("\n")
    blocks = [
        Block("headline", sentences[alert.trigger].format(**alert.facts)),
        Block("heading", heading),
    ]
    if alert.trigger == LEFT:
        blocks.append(Block("line", sentences["left_person"].format(**alert.facts)))
    blocks += [Block("line", line) for line in lines]
    if reasons := group.score["top_reasons"]:
        blocks += [Block("title", labels["reasons"]), *(Block("item", text) for text in reasons)]
    if people := [row["summary"] for row in group.stakeholders if row["summary"]]:
        blocks.append(Block("title", labels["stakeholders"]))
        blocks += [Block("item", text) for text in people]
    if steps := [row["text"] for row in group.actions if row["text"]]:
        blocks += [Block("title", labels["actions"]), *(Block("item", text) for text in steps)]
    if url := group_url(link, alert.group_id):
        blocks.append(Block("link", sentences["link"], url))
    return [replace(block, text=_single_line(block.text)) for block in blocks]


def digest_blocks(
    told: Sequence[tuple[Alert, Group]], language: Language, link: str
) -> list[Block]:
    """What one message says of many alerts: a line for each group, as far as they fit.

    Args:
        told: alerts and their groups, at least one.
        language: see `message_blocks`.
        link: template of [alerts] link.
    """
    sentences = _load_sentences(language.code)
    blocks = [
        Block("headline", sentences["digest"].format(count=len(told))),
        Block("heading", f"{told[0][0].as_of:%Y-%m-%d}"),
    ]
    for alert, group in told[:MAX_DIGEST_LINES]:
        heading = _dated_summary(group, alert, language).partition("\n")[0]
        url = group_url(link, alert.group_id)
        text = f"{heading}: {sentences[alert.trigger].format(**alert.facts)}"
        blocks.append(Block("link", text, url) if url else Block("item", text))
    if (more := len(told) - MAX_DIGEST_LINES) > 0:
        blocks.append(Block("line", sentences["digest_more"].format(count=more)))
    return [replace(block, text=_single_line(block.text)) for block in blocks]


def _dated_summary(group: Group, alert: Alert, language: Language) -> str:
    if not group.summary:  # nobody may read it any more
        return alert.group_id
    as_of, threshold = group.score["as_of"], group.score["threshold"]
    return dated_summary(short_form(group.summary), as_of, threshold, language)


def _single_line(text: str) -> str:
    line = " ".join(text.split())
    return (
        line
        if len(line) <= MAX_LINE_LENGTH
        else line[: MAX_LINE_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}"
    )


@cache
def _load_sentences(language: str) -> Mapping[str, str]:
    folder = files(__package__) / "languages"
    file = folder / f"{language}.toml"
    chosen = file if file.is_file() else folder / f"{FALLBACK_LANGUAGE}.toml"
    return tomllib.loads(chosen.read_text(encoding="utf-8"))


def slack_message(blocks: Sequence[Block]) -> dict[str, Any]:
    """A message for Slack's incoming webhooks: sections of mrkdwn, names escaped.

    `verbatim` keeps Slack from making links and mentions out of what a name holds.
    """
    addressed = [replace(block, url=_SlackAddress(_escape_signs(block.url))) for block in blocks]
    lines = [line for line in _render("slack.txt", addressed).splitlines() if line.strip()]
    fitting = _fitting_lines(lines, MAX_SLACK_LENGTH)
    sections = _pack_lines(fitting, SLACK_SECTION_LENGTH)[:MAX_SLACK_SECTIONS]
    return {
        "text": escape_slack(blocks[0].text),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
            for text in sections
        ],
    }


def _fitting_lines(lines: Sequence[str], limit: int) -> list[str]:
    """The first lines, as far as they fit, and a sign where that is not all."""
    fitting: list[str] = []
    length = 0
    for line in lines:
        length += len(line) + 1
        if length > limit:
            return [*fitting, "\N{HORIZONTAL ELLIPSIS}"]
        fitting.append(line)
    return fitting


def teams_message(blocks: Sequence[Block]) -> dict[str, Any]:
    """A message for a Teams workflow: one adaptive card, names escaped, cut to what Teams takes."""
    lines = [line for line in _render("teams.txt", blocks).splitlines() if line.strip()]
    actions = [
        {"type": "Action.OpenUrl", "title": block.text, "url": block.url}
        for block in blocks
        if block.kind == "link"
    ][:MAX_TEAMS_ACTIONS]
    bytes_left = MAX_TEAMS_BYTES
    body = []
    for line in lines:
        text_block = {"type": "TextBlock", "text": line, "wrap": True}
        bytes_left -= len(json.dumps(text_block).encode())
        if bytes_left < 0:
            body.append({"type": "TextBlock", "text": "…", "wrap": True})
            break
        body.append(text_block)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def email_message(blocks: Sequence[Block]) -> dict[str, Any]:
    """Subject and text of a mail."""
    subject = f"{blocks[0].text}: {blocks[1].text}"
    return {"subject": subject[:MAX_SUBJECT_LENGTH], "text": _render("email.txt", blocks)}


FORMATTERS: Mapping[str, Callable[[Sequence[Block]], dict[str, Any]]] = {
    "slack": slack_message,
    "teams": teams_message,
    "email": email_message,
}
"""By channel."""


class _SlackAddress(str):
    """The address of a link, which is escaped already and must not change."""

    __slots__ = ()


_SLACK_MARKUP = re.compile(r"([*_~`@]|://)")


def escape_slack(text: Any) -> str:
    """A text that Slack shows as it is.

    It has entities for three signs alone. Those that make bold, italic, struck out, code, mentions
    and addresses get a space without width on either side, beside which Slack reads no markup.
    """
    if isinstance(text, _SlackAddress):
        return str(text)
    return _SLACK_MARKUP.sub("\u200b\\1\u200b", _escape_signs(str(text)))


def _escape_signs(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_MARKDOWN_CHARACTERS = re.compile(r"([\\`*_{}\[\]()#+\-!|~<>])")


def escape_teams(text: Any) -> str:
    """A text that an adaptive card shows as it is."""
    return _MARKDOWN_CHARACTERS.sub(r"\\\1", str(text))


_ESCAPES: Mapping[str, Callable[[Any], str]] = {
    "slack.txt": escape_slack,
    "teams.txt": escape_teams,
    "email.txt": str,
}


@cache
def _environment(template: str) -> Environment:
    return Environment(
        loader=PackageLoader(__package__),
        autoescape=False,  # noqa: S701 - no HTML: each channel has an escape of its own
        undefined=StrictUndefined,
        finalize=_ESCAPES[template],
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render(template: str, blocks: Sequence[Block]) -> str:
    return _environment(template).get_template(template).render(blocks=blocks)


def _pack_lines(lines: Sequence[str], limit: int) -> list[str]:
    """Lines in as few texts as their limit allows."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= limit:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line[:limit])
    return texts
