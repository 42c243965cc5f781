"""A report's worth of groups: of no members, of some, and one of very many."""

from __future__ import annotations

from datetime import datetime

from made_report import AS_OF, member_row, opened, score_row, tables, theme_rows
from mqbg.serve.batch.scoring import ScoreTables
from mqbg.source import Source

GROUPS = 40
STATUSES = ("nurture", "qualified", "recycled")


def scored_groups(as_of: datetime = AS_OF) -> ScoreTables:
    scores, members, themes = [], [], []
    for n in range(GROUPS):
        size = 400 if n == GROUPS - 1 else n % 9
        score = score_row(
            f"g{n}",
            -3.0,
            2.05 - n / 10 if size else 0.0,
            n + 1,
            account_id=f"a{n}",
            solution_id=f"s{n % 2}",
            status=STATUSES[n % 3],
            completeness=(n * 7 % 11) / 10,
            as_of=as_of,
        )
        added = score["log_odds"] + 3.0
        people = [
            member_row(score, f"c{k}", added / size, activities_30d=k % 2) for k in range(size)
        ]
        scores.append(score)
        members += people
        themes += [row for one in people for row in theme_rows(one, engagement=0.7, fit=0.3)]
    return tables(scores, members, themes=themes)


def made_source() -> Source:
    kinds = ("web_visit", "whitepaper_download", "meeting", "email_sent", "call_made", "fax")
    people = [(f"c{k}", f"名前 {k}" if k % 2 else f"Person {k}", "Director") for k in range(400)]
    # Names as long as they come, in one word and without a space.
    accounts = {f"a{n}": f"Arrow {n} K.K." for n in range(GROUPS)}
    accounts |= {"a3": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk", "a4": "株" * 60}
    return opened(
        accounts,
        people,
        [
            {
                "contact_id": f"c{k % 9}",
                "kind": kinds[k % len(kinds)],
                "occurred_at": AS_OF.replace(month=1 + k % 4, day=1 + k % 28),
            }
            for k in range(120)
        ],
        tiers={f"a{n}": "AB"[n % 2] for n in range(GROUPS)},
        solutions=[{"solution_id": f"s{n}", "name": f"Product {n}"} for n in range(2)],
    )
