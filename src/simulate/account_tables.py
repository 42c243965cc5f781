"""The tables of accounts and contacts: names, addresses and titles in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import vocabulary as w
from .columns import category_column, concatenate_text, id_column, with_missing_values
from .parameters import INDUSTRIES, TIERS
from .people import COUNTRIES, Accounts, Contacts
from .timeline import Flags, Integers

_JAPAN = COUNTRIES.index("JP")
_TITLES_PER_ROLE = 4  # titles per role and language


def accounts_table(rng: np.random.Generator, accounts: Accounts) -> tuple[Any, Any]:
    """The table, and every account's domain (which the table leaves out here and there)."""
    stem = rng.integers(len(w.COMPANY_STEMS), size=len(accounts))
    code = np.arange(len(accounts))
    in_japan = accounts.country == _JAPAN
    japanese = _company_names(rng, stem, accounts, in_japan)
    domain = concatenate_text(
        _domain_name(stem, accounts, in_japan), "-", id_column("", code, 4), ".example"
    )
    table = pa.table(
        {
            "account_id": id_column("A", code, 5),
            "name": japanese,
            "domain": with_missing_values(domain, rng, 0.02),
            "industry": category_column(INDUSTRIES, accounts.industry),
            "employees": pa.array(accounts.employees),
            "country": category_column(COUNTRIES, accounts.country),
            "tier": category_column(TIERS, accounts.tier),
        }
    )
    return table, domain


def _company_names(
    rng: np.random.Generator, stem: Integers, accounts: Accounts, in_japan: Flags
) -> Any:
    """`株式会社東都製作所`, `Toto Seisakusho K.K.`, `Redwood Energy GmbH` ..."""
    form = rng.choice(len(w.JAPANESE_FORMS), len(accounts), p=w.JAPANESE_FORM_SHARE)
    native = concatenate_text(
        category_column([s[0] for s in w.COMPANY_STEMS], stem),
        category_column([t[0] for t in w.INDUSTRY_NAMES], accounts.industry),
    )
    roman = concatenate_text(
        category_column([s[1] for s in w.COMPANY_STEMS], stem),
        " ",
        category_column([t[1] for t in w.INDUSTRY_NAMES], accounts.industry),
    )
    foreign = concatenate_text(
        category_column(w.FOREIGN_STEMS, stem),
        " ",
        category_column([t[2] for t in w.INDUSTRY_NAMES], accounts.industry),
    )
    in_roman = pa.array(form == len(w.JAPANESE_FORMS) - 1)
    japanese = _with_legal_form(w.JAPANESE_FORMS, form, pc.if_else(in_roman, roman, native))
    abroad = _with_legal_form(w.FOREIGN_FORMS, accounts.country, foreign)
    return pc.if_else(pa.array(in_japan), japanese, abroad)


def _with_legal_form(forms: Sequence[str], form: Integers, name: Any) -> Any:
    before = [text.partition("{}")[0] for text in forms]
    after = [text.partition("{}")[2] for text in forms]
    return concatenate_text(category_column(before, form), name, category_column(after, form))


def _domain_name(stem: Integers, accounts: Accounts, in_japan: Flags) -> Any:
    trade = accounts.industry
    home = concatenate_text(
        category_column([s[1].lower() for s in w.COMPANY_STEMS], stem),
        category_column([t[1].lower() for t in w.INDUSTRY_NAMES], trade),
    )
    abroad = concatenate_text(
        category_column([s.lower() for s in w.FOREIGN_STEMS], stem),
        category_column([t[2].lower() for t in w.INDUSTRY_NAMES], trade),
    )
    return pc.if_else(pa.array(in_japan), home, abroad)


def contacts_table(
    rng: np.random.Generator, contacts: Contacts, accounts: Accounts, domain: Any
) -> Any:
    """People with Japanese or English names; addresses are unique and reserved (`.example`)."""
    count = len(contacts)
    in_japan = accounts.country[contacts.account] == _JAPAN
    native = in_japan ^ (rng.random(count) < 0.05)
    family = rng.integers(len(w.FAMILY_NAMES), size=count)
    given = rng.integers(len(w.GIVEN_NAMES), size=count)
    name, mailbox = _person_names(native, family, given)
    title, department = _titles(rng, contacts, native)
    code = np.arange(count)
    where = domain.take(pa.array(contacts.account))
    email = concatenate_text(mailbox, id_column("", code, 5), "@", where)
    return pa.table(
        {
            "contact_id": id_column("C", code, 6),
            "account_id": id_column("A", contacts.account, 5),
            "full_name": name,
            "email": with_missing_values(email, rng, 0.03),
            "phone": _phone_numbers(code, in_japan),
            "title": with_missing_values(title, rng, 0.05),
            "department": with_missing_values(department, rng, 0.10),
        }
    )


def _phone_numbers(code: Integers, in_japan: Flags) -> Any:
    """`050-0000-0012`, or `+1 555 0000012` abroad; every seventh contact gave none."""
    digits = pc.utf8_lpad(pa.array(code + 1).cast(pa.string()), 8, "0")
    first, last = pc.utf8_slice_codeunits(digits, 0, 4), pc.utf8_slice_codeunits(digits, 4)
    home = concatenate_text("050-", first, "-", last)
    number = pc.if_else(pa.array(in_japan), home, concatenate_text("+1 555 ", digits))
    return pc.if_else(pa.array(code % 7 == 3), pa.scalar(None, pa.string()), number)


def _person_names(native: Flags, family: Integers, given: Integers) -> tuple[Any, Any]:
    is_native = pa.array(native)
    japanese = concatenate_text(
        category_column([n[0] for n in w.FAMILY_NAMES], family),
        " ",
        category_column([n[0] for n in w.GIVEN_NAMES], given),
    )
    foreign = concatenate_text(
        category_column(w.FOREIGN_GIVEN_NAMES, given),
        " ",
        category_column(w.FOREIGN_FAMILY_NAMES, family),
    )
    roman = concatenate_text(
        category_column([n[1] for n in w.GIVEN_NAMES], given),
        ".",
        category_column([n[1] for n in w.FAMILY_NAMES], family),
    )
    latin = concatenate_text(
        category_column([n.lower() for n in w.FOREIGN_GIVEN_NAMES], given),
        ".",
        category_column([n.lower() for n in w.FOREIGN_FAMILY_NAMES], family),
    )
    return pc.if_else(is_native, japanese, foreign), pc.if_else(is_native, roman, latin)


def _titles(rng: np.random.Generator, contacts: Contacts, native: Flags) -> tuple[Any, Any]:
    pool = [
        entry for titles in (w.ENGLISH_TITLES, w.JAPANESE_TITLES) for r in titles for entry in r
    ]
    variant = rng.integers(_TITLES_PER_ROLE, size=len(contacts))
    code = (native * len(w.ENGLISH_TITLES) + contacts.role) * _TITLES_PER_ROLE + variant
    return category_column([entry[0] for entry in pool], code), category_column(
        [entry[1] for entry in pool], code
    )
