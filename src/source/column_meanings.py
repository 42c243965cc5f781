"""What the contract's tables and columns mean, what reads them, and what their absence costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """Words on a table or a column.

    Attributes:
        meaning: what it holds.
        used_for: what reads it.
        without: what its absence costs; "" where it must be there.
        example: of a column, the value in the example row.
    """

    meaning: str
    used_for: str
    without: str = ""
    example: str = ""


def _column(example: str, meaning: str, used_for: str, without: str = "") -> Meaning:
    return Meaning(meaning, used_for, without, example)


TABLE_MEANINGS: Mapping[str, Meaning] = {
    "accounts": Meaning(
        "Companies that may buy.", "the features of theme fit, segments, and names on pages"
    ),
    "contacts": Meaning(
        "People at accounts.", "members, whom pages and summaries name, and departments"
    ),
    "solutions": Meaning("What is sold.", "role templates and segments by solution"),
    "buying_groups": Meaning(
        "An account's interest in a solution: what is scored.", "the rows of every table of scores"
    ),
    "contents": Meaning(
        "What can be read, watched or downloaded.",
        "features of buying jobs and of contents seen",
        "the features of contents and buying jobs are empty",
    ),
    "members": Meaning(
        "Who is in a buying group, in which role, from when to when. A change of role is the end "
        "of one row and the start of another; rows of one member must not overlap.",
        "completeness, all features by role, contributions of stakeholders",
    ),
    "activities": Meaning(
        "What contacts did (inbound) and what was done to them (outbound). Each row has a contact, "
        "or a group, or both. An `activity_id` that is there twice counts once.",
        "engagement, momentum, journey and sales touch: most of the features",
    ),
    "stage_events": Meaning(
        "Stages that groups reached. The first event of the target stage (`[target] stage`, "
        "default `opportunity`) is the conversion; `won`, `lost` and the target end a group, "
        "`reopened` opens it again.",
        "the outcome that is learned, which groups are open, and history",
    ),
    "verdicts": Meaning(
        "What sales decided on groups that were handed over.",
        "states, the policy by precision, and features of theme journey",
        "no group is accepted or rejected, and thresholds follow conversions alone",
    ),
    "answers": Meaning(
        "What inside sales heard: problem, position, timing, budget, competitor and so on.",
        "features of theme qualification, one set for each of the most frequent questions",
        "the features of theme qualification are empty",
    ),
    "costs": Meaning(
        "What a channel cost in a month.",
        "cost and return; no score reads it",
        "nothing can be said of costs and return",
    ),
}

_TIME = "2024-02-01T09:00:00Z"
_NO_NAME = "the id is shown in its place"
_UNTOLD = "pages and summaries leave it out"

MEANINGS: Mapping[str, Meaning] = {
    "accounts.account_id": _column("A1", "names the account", "joining tables"),
    "accounts.name": _column("東都電機株式会社", "of the company", "pages, summaries, pushes"),
    "accounts.domain": _column(
        "toto-denki.example", "of its e-mail addresses", "joining companies of several systems",
        "companies are joined by names alone",
    ),
    "accounts.industry": _column(
        "electronics", "a category", "features of theme fit, segments, outcomes of the industry",
        "no score by industry; of the groups' outcomes those of the solution alone",
    ),
    "accounts.employees": _column(
        "1200", "how many people work there", "a feature of theme fit", "that feature is empty"
    ),
    "accounts.country": _column(
        "JP", "a category", "features of theme fit, segments", "no score or threshold by country"
    ),
    "accounts.tier": _column(
        "1", "how important the account is to you, a category",
        "features of theme fit, segments, filters", "no score or threshold by tier",
    ),
    "contacts.contact_id": _column("C1", "names the contact", "joining tables"),
    "contacts.account_id": _column("A1", "where the contact works", "the company of a member"),
    "contacts.full_name": _column("佐藤 花子", "as it is written", "pages, summaries", _NO_NAME),
    "contacts.email": _column(
        "hanako.sato@toto-denki.example", "address",
        "joining contacts of several systems, `mqbg forget`", "contacts are joined by names alone",
    ),
    "contacts.phone": _column(
        "+81-3-0000-0000", "number", "joining contacts of several systems",
        "one hint less on who is who",
    ),
    "contacts.title": _column(
        "情報システム部長", "as on the business card", "roles found by `mqbg import`, pages",
        "roles come from the CRM alone; " + _UNTOLD,
    ),
    "contacts.department": _column(
        "information systems", "a category", "how many departments are active",
        "all people count as of one department",
    ),
    "solutions.solution_id": _column("S1", "names the solution", "joining tables"),
    "solutions.name": _column("Analytics", "as people call it", "pages, summaries, pushes"),
    "buying_groups.group_id": _column("G1", "names the group", "every table of scores"),
    "buying_groups.account_id": _column("A1", "which account", "fit, history of the account"),
    "buying_groups.solution_id": _column("S1", "which solution", "the role template, segments"),
    "buying_groups.created_at": _column(
        "2024-01-10T00:00:00Z", "when the interest began, not when a deal was entered",
        "the first cut-off at which the group is scored; age",
    ),
    "buying_groups.name": _column(
        "Analytics for plant 2", "as the CRM calls it", "pages", "account and solution name it"
    ),
    "buying_groups.owner": _column(
        "Ken Mori", "who works on it", "pages, filters", "nobody can filter by owner"
    ),
    "buying_groups.url": _column(
        "https://crm.example/deals/1", "the record in the CRM", "links on pages and in alerts",
        "no link to the record",
    ),
    "contents.content_id": _column("K1", "names the content", "joining tables"),
    "contents.title": _column("Price list 2024", "as readers see it", "pages", "the id is shown"),
    "contents.buying_job": _column(
        "supplier_selection", "which of Gartner's six jobs it helps with",
        "features of theme journey", "no feature knows which jobs are done",
    ),
    "contents.solution_id": _column(
        "S1", "whose content it is", "kept with the content; no feature reads it", "nothing is lost"
    ),
    "contents.gated": _column(
        "true", "whether a form is before it", "features of engagement",
        "gated and open contents count the same",
    ),
    "members.group_id": _column("G1", "of which group", "joining tables"),
    "members.contact_id": _column("C1", "who", "joining tables"),
    "members.role": _column(
        "decision_maker", "the role in the purchase, one of few words",
        "completeness, features by role, next actions",
    ),
    "members.joined_at": _column(
        "2024-01-12T00:00:00Z", "since when it was known that the contact takes part",
        "who counts at a cut-off",
    ),
    "members.left_at": _column(
        "", "until when; empty while they are in", "who counts at a cut-off", "nobody ever leaves"
    ),
    "members.probability": _column(
        "0.9", "that the contact has this role; empty is 1",
        "expected completeness, reviewing what was found", "every role counts as certain",
    ),
    "members.source": _column(
        "crm", "where the role comes from", "reviewing what was found", "nobody sees where from"
    ),
    "members.joined_is": _column(
        "exact", "how the date of joining is known", "judging dates that were inferred",
        "inferred dates are not marked",
    ),
    "activities.activity_id": _column("V1", "names the activity", "counting each once"),
    "activities.contact_id": _column(
        "C1", "whose activity", "signals of the member",
        "it counts for its group and for no member",
    ),
    "activities.kind": _column(
        "pricing_view", "what it was; `[kinds]` says what each is worth", "points, families, intent"
    ),
    "activities.occurred_at": _column(_TIME, "when it happened", "windows before a cut-off"),
    "activities.recorded_at": _column(
        "2024-02-01T09:05:00Z", "when your systems knew of it",
        "what counts as known at a cut-off",
        "taken for known when it happened: what was entered afterwards leaks into training",
    ),
    "activities.group_id": _column(
        "G1", "the one group that it is about", "which groups it counts for",
        "it counts for every group of its contact",
    ),
    "activities.solution_id": _column(
        "S1", "the solution that it is about", "which groups it counts for",
        "it counts for the contact's groups of every solution",
    ),
    "activities.content_id": _column(
        "K1", "what was looked at", "features of contents and buying jobs",
        "no feature of contents or buying jobs",
    ),
    "activities.channel": _column(
        "web", "by which channel it came", "kept for cost and return; no score reads it",
        "nothing is said by channel",
    ),
    "activities.duration_seconds": _column(
        "95", "how long it took", "minutes of engagement", "features of minutes are 0"
    ),
    "stage_events.group_id": _column("G1", "which group", "joining tables"),
    "stage_events.stage": _column("opportunity", "the stage reached", "outcomes, open groups"),
    "stage_events.occurred_at": _column(
        "2024-03-05T00:00:00Z", "when it was reached", "outcomes within the horizon"
    ),
    "stage_events.amount": _column(
        "12000000", "value of the deal, in your currency",
        "kept for cost and return; no score reads it", "nothing is said of amounts",
    ),
    "verdicts.group_id": _column("G1", "which group", "joining tables"),
    "verdicts.decided_at": _column("2024-02-20T00:00:00Z", "when", "what is known at a cut-off"),
    "verdicts.verdict": _column("accepted", "what sales said", "states, precision"),
    "verdicts.reason": _column(
        "", "why it was rejected, a category", "pages, counts of reasons", "no reasons are shown"
    ),
    "answers.group_id": _column("G1", "of which group", "joining tables"),
    "answers.contact_id": _column(
        "C1", "who said it", "kept with the answer; no feature reads it", "nothing is lost"
    ),
    "answers.question": _column("timing", "what was asked, one of few words", "qualification"),
    "answers.answer": _column("this fiscal year", "what was said", "pages, qualification"),
    "answers.answered_at": _column(
        "2024-02-10T00:00:00Z", "when", "what is known at a cut-off, days since the last answer"
    ),
    "costs.month": _column("2024-02", "the month", "cost and return"),
    "costs.channel": _column("web", "the channel", "cost and return"),
    "costs.amount": _column("350000", "in your currency", "cost and return"),
}  # fmt: skip
