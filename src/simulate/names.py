"""The tables of accounts and contacts: names, addresses and titles in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import words as w
from .columns import ids, joined_text, thinned, words
from .parameters import INDUSTRIES, TIERS
from .people import COUNTRIES, Accounts, Contacts
from .timeline import Flags, Integers

_JAPAN = COUNTRIES.index("JP")
_VARIANTS = 4  # titles per role and language


def accounts_table(rng: np.random.Generator, accounts: Accounts) -> tuple[Any, Any]:
    """The table, and every account's domain (which the table leaves out here and there)."""
    stem = rng.integers(len(w.COMPANY_STEMS), size=len(accounts))
    code = np.arange(len(accounts))
    at_home = accounts.country == _JAPAN
    japanese = _firm_names(rng, stem, accounts, at_home)
    domain = joined_text(_slug(stem, accounts, at_home), "-", ids("", code, 4), ".example")
    table = pa.table(
        {
            "account_id": ids("A", code, 5),
            "name": japanese,
            "domain": thinned(domain, rng, 0.02),
            "industry": words(INDUSTRIES, accounts.industry),
            "employees": pa.array(accounts.employees),
            "country": words(COUNTRIES, accounts.country),
            "tier": words(TIERS, accounts.tier),
        }
    )
    return table, domain


def _firm_names(
    rng: np.random.Generator, stem: Integers, accounts: Accounts, at_home: Flags
) -> Any:
    """`株式会社東都製作所`, `Toto Seisakusho K.K.`, `Redwood Energy GmbH` ..."""
    form = rng.choice(len(w.JAPANESE_FORMS), len(accounts), p=w.JAPANESE_FORM_SHARE)
    native = joined_text(
        words([s[0] for s in w.COMPANY_STEMS], stem),
        words([t[0] for t in w.TRADES], accounts.industry),
    )
    roman = joined_text(
        words([s[1] for s in w.COMPANY_STEMS], stem),
        " ",
        words([t[1] for t in w.TRADES], accounts.industry),
    )
    foreign = joined_text(
        words(w.FOREIGN_STEMS, stem), " ", words([t[2] for t in w.TRADES], accounts.industry)
    )
    in_roman = pa.array(form == len(w.JAPANESE_FORMS) - 1)
    japanese = _dressed(w.JAPANESE_FORMS, form, pc.if_else(in_roman, roman, native))
    abroad = _dressed(w.FOREIGN_FORMS, accounts.country, foreign)
    return pc.if_else(pa.array(at_home), japanese, abroad)


def _dressed(forms: Sequence[str], form: Integers, name: Any) -> Any:
    before = [text.partition("{}")[0] for text in forms]
    after = [text.partition("{}")[2] for text in forms]
    return joined_text(words(before, form), name, words(after, form))


def _slug(stem: Integers, accounts: Accounts, at_home: Flags) -> Any:
    trade = accounts.industry
    home = joined_text(
        words([s[1].lower() for s in w.COMPANY_STEMS], stem),
        words([t[1].lower() for t in w.TRADES], trade),
    )
    abroad = joined_text(
        words([s.lower() for s in w.FOREIGN_STEMS], stem),
        words([t[2].lower() for t in w.TRADES], trade),
    )
    return pc.if_else(pa.array(at_home), home, abroad)


def contacts_table(
    rng: np.random.Generator, contacts: Contacts, accounts: Accounts, domain: Any
) -> Any:
    """People with Japanese or English names; addresses are unique and reserved (`.example`)."""
    count = len(contacts)
    at_home = accounts.country[contacts.account] == _JAPAN
    native = at_home ^ (rng.random(count) < 0.05)
    family = rng.integers(len(w.FAMILY_NAMES), size=count)
    given = rng.integers(len(w.GIVEN_NAMES), size=count)
    name, mailbox = _person_names(native, family, given)
    title, department = _titles(rng, contacts, native)
    code = np.arange(count)
    where = domain.take(pa.array(contacts.account))
    email = joined_text(mailbox, ids("", code, 5), "@", where)
    return pa.table(
        {
            "contact_id": ids("C", code, 6),
            "account_id": ids("A", contacts.account, 5),
            "full_name": name,
            "email": thinned(email, rng, 0.03),
            "title": thinned(title, rng, 0.05),
            "department": thinned(department, rng, 0.10),
        }
    )


def _person_names(native: Flags, family: Integers, given: Integers) -> tuple[Any, Any]:
    is_native = pa.array(native)
    japanese = joined_text(
        words([n[0] for n in w.FAMILY_NAMES], family),
        " ",
        words([n[0] for n in w.GIVEN_NAMES], given),
    )
    foreign = joined_text(words(w.FOREIGN_GIVEN, given), " ", words(w.FOREIGN_FAMILY, family))
    roman = joined_text(
        words([n[1] for n in w.GIVEN_NAMES], given),
        ".",
        words([n[1] for n in w.FAMILY_NAMES], family),
    )
    latin = joined_text(
        words([n.lower() for n in w.FOREIGN_GIVEN], given),
        ".",
        words([n.lower() for n in w.FOREIGN_FAMILY], family),
    )
    return pc.if_else(is_native, japanese, foreign), pc.if_else(is_native, roman, latin)


def _titles(rng: np.random.Generator, contacts: Contacts, native: Flags) -> tuple[Any, Any]:
    pool = [
        entry for titles in (w.ENGLISH_TITLES, w.JAPANESE_TITLES) for r in titles for entry in r
    ]
    variant = rng.integers(_VARIANTS, size=len(contacts))
    code = (native * len(w.ENGLISH_TITLES) + contacts.role) * _VARIANTS + variant
    return words([entry[0] for entry in pool], code), words([entry[1] for entry in pool], code)
