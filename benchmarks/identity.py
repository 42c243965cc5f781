"""How long an import takes to find the people and companies of a large CRM, and how well it does.

The promise is 1,000,000 contacts in at most 4 minutes and 4 GB on two cores. A tenth of the people
have a second record: in another script, every second one without its address, some with a number.
"""

from __future__ import annotations

import resource
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from mqbg.simulate.export.salesforce import salesforce_id
from mqbg.simulate.export.spellings import company_names, person_name

from .timing import mqbg

PEOPLE_OF_A_COMPANY = 9
SECOND_RECORDS = 0.1
CREATED = "2024-01-05T09:30:00.000Z"


def run(contacts: int) -> None:
    """Makes an export of that many contacts, imports it, and compares with what is true."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        true = _write_export(folder / "export", contacts)
        start = time.perf_counter()
        mqbg(folder, "import", "salesforce", "export", "imported")
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        identities = pd.read_parquet(folder / "imported" / "import" / "identities.parquet")
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    print(f"{contacts:,} contacts: {seconds:.0f} s, {cpu:.0f} s of CPU, {peak / 1e9:.2f} GB")
    ours = identities[identities.table == "contacts"].set_index("source_id").id
    precision, recall = _pairs_found(true, ours.reindex(true.index))
    print(f"pairs of one person: precision {precision:.4f}, recall {recall:.4f}")


def _write_export(folder: Path, contacts: int) -> pd.Series:
    """Account and Contact as Data Loader writes them; returns the person of each contact's id."""
    folder.mkdir()
    people = round(contacts / (1 + SECOND_RECORDS))
    companies = -(-people // PEOPLE_OF_A_COMPANY)
    rng = np.random.default_rng(7)
    accounts = pd.DataFrame(
        {
            "Id": [salesforce_id("001", place + 1) for place in range(companies)],
            "Name": [company_names(f"株式会社商会{place}", place)[0] for place in range(companies)],
            "Website": [f"https://www.company{place}.example.jp" for place in range(companies)],
            "CreatedDate": CREATED,
        }
    )
    accounts.to_csv(folder / "Account.csv", index=False)
    person = np.concatenate([np.arange(people), rng.choice(people, contacts - people, False)])
    again = np.arange(contacts) >= people
    company = person // PEOPLE_OF_A_COMPANY
    names = [person_name((31 * one) % 570, japanese=True) for one in range(570)]
    of_person = [names[(3 * one + one // 570) % 570] for one in person]
    mailed = ~again | (rng.random(contacts) < 0.5)
    rows = pd.DataFrame(
        {
            "Id": [salesforce_id("003", place + 1) for place in range(contacts)],
            "AccountId": accounts.Id.to_numpy()[company],
            "LastName": [
                one.family_again if second else one.family
                for one, second in zip(of_person, again, strict=True)
            ],
            "FirstName": [
                one.given_again if second else one.given
                for one, second in zip(of_person, again, strict=True)
            ],
            "Email": [
                f"{name.box}{one}@company{home}.example.jp" if known else None
                for name, one, home, known in zip(of_person, person, company, mailed, strict=True)
            ],
            "Phone": [
                f"090-{one // 10_000:04d}-{one % 10_000:04d}" if told else None
                for one, told in zip(person, rng.random(contacts) < 0.6, strict=True)
            ],
            "Title": "部長",
            "CreatedDate": CREATED,
        }
    )
    rows.to_csv(folder / "Contact.csv", index=False)
    return pd.Series(person, index=rows.Id)


def _pairs_found(true: pd.Series, ours: pd.Series) -> tuple[float, float]:
    """Precision and recall over pairs of records of one person."""
    expected, found = _pairs(true), _pairs(ours)
    both = len(expected & found)
    return both / max(1, len(found)), both / max(1, len(expected))


def _pairs(groups: pd.Series) -> set[tuple[str, str]]:
    shared = groups[groups.duplicated(keep=False)]
    return {
        pair
        for _one, members in shared.groupby(shared).groups.items()
        for pair in combinations(sorted(members), 2)
    }
