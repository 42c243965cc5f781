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
from ...store.queries import Group
from ..desired_records import group_link
from .triggers import LEFT, Alert

FALLBACK = "en"
SLACK_SECTION = 2900  # characters; Slack takes 3,000 in a section ...
SLACK_SECTIONS = 45  # ... and 50 blocks
TEAMS_BYTES = 24_000  # Teams takes 28 KB
MAX_LINE = 600  # characters of one line of an alert
MAX_SUBJECT = 150


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


def blocks_of(alert: Alert, group: Group, words: Language, link: str) -> list[Block]:
    """What an alert says: what happened, where the group stands and why, who is in it.

    Args:
        alert: what happened.
        group: as the run found it; its texts are in the language it was scored in.
        words: of headline and titles. A language we have no headlines in has English ones.
        link: template of [alerts] link.
    """
    say, label = _sentences(words.code), words.word_tables["labels"]
    heading, *lines = (group.summary or alert.group_id).split("\n")
    blocks = [Block("headline", say[alert.cause].format(**alert.facts)), Block("heading", heading)]
    if alert.cause == LEFT:
        blocks.append(Block("line", say["left_person"].format(**alert.facts)))
    blocks += [Block("line", line) for line in lines]
    if reasons := group.score["top_reasons"]:
        blocks += [Block("title", label["reasons"]), *(Block("item", text) for text in reasons)]
    if people := [row["summary"] for row in group.stakeholders if row["summary"]]:
        blocks.append(Block("title", label["stakeholders"]))
        blocks += [Block("item", text) for text in people]
    if steps := [row["text"] for row in group.actions if row["text"]]:
        blocks += [Block("title", label["actions"]), *(Block("item", text) for text in steps)]
    if url := group_link(link, alert.group_id):
        blocks.append(Block("link", say["link"], url))
    return [replace(block, text=_one_line(block.text)) for block in blocks]


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "\N{HORIZONTAL ELLIPSIS}"


@cache
def _sentences(language: str) -> Mapping[str, str]:
    folder = files(__package__) / "languages"
    file = folder / f"{language}.toml"
    chosen = file if file.is_file() else folder / f"{FALLBACK}.toml"
    return tomllib.loads(chosen.read_text(encoding="utf-8"))


def slack(blocks: Sequence[Block]) -> dict[str, Any]:
    """A message for Slack's incoming webhooks: sections of mrkdwn, names escaped."""
    lines = _rendered("slack.txt", blocks).splitlines()
    sections = _gathered([line for line in lines if line.strip()], SLACK_SECTION)
    return {
        "text": escape_slack(blocks[0].text),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": text}}
            for text in sections[:SLACK_SECTIONS]
        ],
    }


def teams(blocks: Sequence[Block]) -> dict[str, Any]:
    """A message for a Teams workflow: one adaptive card, names escaped, cut to what Teams takes."""
    lines = [line for line in _rendered("teams.txt", blocks).splitlines() if line.strip()]
    actions = [
        {"type": "Action.OpenUrl", "title": block.text, "url": block.url}
        for block in blocks
        if block.kind == "link"
    ]
    room = TEAMS_BYTES
    body = []
    for line in lines:
        shown = {"type": "TextBlock", "text": line, "wrap": True}
        room -= len(json.dumps(shown).encode())
        if room < 0:
            body.append({"type": "TextBlock", "text": "…", "wrap": True})
            break
        body.append(shown)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def email(blocks: Sequence[Block]) -> dict[str, Any]:
    """Subject and text of a mail."""
    subject = f"{blocks[0].text}: {blocks[1].text}"
    return {"subject": subject[:MAX_SUBJECT], "text": _rendered("email.txt", blocks)}


WRITERS: Mapping[str, Callable[[Sequence[Block]], dict[str, Any]]] = {
    "slack": slack,
    "teams": teams,
    "email": email,
}
"""By channel."""


def escape_slack(text: Any) -> str:
    """Slack reads these three alone as markup; mentions and links need them."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-!|~<>])")


def escape_teams(text: Any) -> str:
    """A text that an adaptive card shows as it is."""
    return _MARKDOWN.sub(r"\\\1", str(text))


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


def _rendered(template: str, blocks: Sequence[Block]) -> str:
    return _environment(template).get_template(template).render(blocks=blocks)


def _gathered(lines: Sequence[str], limit: int) -> list[str]:
    """Lines in as few texts as their limit allows."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= limit:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line[:limit])
    return texts
