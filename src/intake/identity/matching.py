"""Contacts that are probably one person: probabilistic linkage with Splink on DuckDB.

What two records share is weighed as in Fellegi and Sunter (1969): how often one person's two
records agree (the shipped model, model.json), and how often two people's do, which is counted in
the data at hand: names, companies and phone numbers that many share say little.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections import defaultdict
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from .mail_domains import is_shared_box
from .person_names import name_key
from .readings import readings_of_name, script_of

FEWEST_RECORDS = 2
LEAST_KEPT = 0.05
"""Pairs below this probability are not even asked for."""

MOST_USUAL_READINGS = 3
LEAST_RARITY = -12
_MOBILE = re.compile(r"0[789]0\d{8}")


def model_of_persons() -> dict[str, Any]:
    """How often the two records of one person agree in each way: the shipped model."""
    text = (files(__package__) / "model.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def probable_pairs(people: pd.DataFrame) -> pd.DataFrame:
    """Pairs of contacts with the probability that they are one person.

    Args:
        people: columns node, full_name, email, phone, account_id, email_host; one row a record.

    Returns:
        left, right (nodes, left < right) and probability, at least LEAST_KEPT, surest first.
    """
    records = _records(people)
    empty = pd.DataFrame({"left": [], "right": [], "probability": []})
    if len(records) < FEWEST_RECORDS:
        return empty.astype({"left": "int64", "right": "int64", "probability": "float64"})
    found = _predict(records)
    pairs = pd.DataFrame(
        {
            "left": found[["node_l", "node_r"]].min(axis=1).astype("int64"),
            "right": found[["node_l", "node_r"]].max(axis=1).astype("int64"),
            "probability": found.match_probability.round(6),
        }
    )
    pairs = pairs.sort_values(["probability", "left", "right"], ascending=[False, True, True])
    return pairs.drop_duplicates(["left", "right"]).reset_index(drop=True)


def own_mobiles(people: pd.DataFrame) -> list[str | None]:
    """Each record's name and mobile number, where nobody of another name has that number.

    Args:
        people: columns full_name, phone; one row a record.

    Returns:
        By row; None where there is no name or no such number.
    """
    names = [name_key(name) if isinstance(name, str) else "" for name in people.full_name]
    numbers = [_digits(phone) for phone in people.phone]
    of_number: dict[str | None, set[str]] = defaultdict(set)
    for name, number in zip(names, numbers, strict=True):
        of_number[number].add(name)
    return [
        f"{name} {number}"
        if name and number and _MOBILE.fullmatch(number) and len(of_number[number] - {""}) == 1
        else None
        for name, number in zip(names, numbers, strict=True)
    ]


def _records(people: pd.DataFrame) -> pd.DataFrame:
    names = [name if isinstance(name, str) else None for name in people.full_name]
    emails = [email if isinstance(email, str) else None for email in people.email]
    records = pd.DataFrame(
        {
            "node": people.node.astype("int64").to_numpy(),
            "name_key": [name_key(name) or None for name in names],
            "script": [script_of(name) or None for name in names],
            "readings": [list(readings_of_name(name)) for name in names],
            "account": people.account_id.where(people.account_id.notna(), None).to_numpy(),
            "host": people.email_host.where(people.email_host.notna(), None).to_numpy(),
            "email": [None if email and is_shared_box(email) else email for email in emails],
            "box": [
                email.partition("@")[0] if email and not is_shared_box(email) else None
                for email in emails
            ],
            "phone": [_digits(phone) for phone in people.phone],
        }
    )  # fmt: skip
    records = records[records.name_key.notna()].reset_index(drop=True)
    if records.empty:
        return records
    accounts = records.account.fillna(records.node.astype(str))
    records["name_rarity"] = _rarity(records.name_key, records.name_key, accounts)
    first = records.readings.str[0]
    usual = records.readings.str[:MOST_USUAL_READINGS].explode()
    records["reading_rarity"] = _rarity(first, usual, accounts.reindex(usual.index))
    records["phone_names"] = records.groupby("phone").name_key.transform("nunique")
    return records


def _rarity(of: pd.Series, values: pd.Series, accounts: pd.Series) -> pd.Series:
    """How rare each value is among people, in half powers of ten: -6 is one person in a thousand.

    Counted over other companies than the record's own, as its namesakes there may be itself; the
    shipped model says how rare a value is that is seen nowhere else, so that a small file does not
    take all names for common.
    """
    prior = model_of_persons()["rarity"]
    spread = accounts.groupby(values.to_numpy()).nunique()
    elsewhere = (of.map(spread).fillna(1) - 1).clip(lower=0)
    share = (elsewhere + prior["seen"]) / (len(of) + prior["people"])
    halves = np.round(2 * np.log10(share.to_numpy(dtype="float64"))).clip(LEAST_RARITY, -2)
    return pd.Series(halves, index=of.index).astype("int64")


def _digits(phone: object) -> str | None:
    if not isinstance(phone, str):
        return None
    digits = re.sub(r"\D", "", phone)
    digits = re.sub(r"^(0081|81)(?=[1-9])", "0", digits)
    return digits if len(digits) >= 9 else None


def _chance(records: pd.DataFrame, column: str, beside: str) -> float:
    """How often two people agree in a column by chance.

    Records that agree in `beside` as well may be one person's, so they count once.
    """
    known = records.loc[records[column].notna(), [column, beside]].drop_duplicates()
    counts = known[column].value_counts().to_numpy(dtype="float64")
    total = counts.sum()
    if total < FEWEST_RECORDS:
        return 1e-3
    chance = (float((counts * (counts - 1)).sum()) + 1.0) / (total * (total - 1))
    return float(min(0.5, max(chance, 1e-6)))


def _predict(records: pd.DataFrame) -> pd.DataFrame:
    import splink

    logging.getLogger("splink").setLevel(logging.ERROR)
    with warnings.catch_warnings(), duckdb.connect() as con:
        warnings.simplefilter("ignore")
        con.register("frame", records)
        con.execute("CREATE TABLE contacts_to_link AS SELECT * FROM frame ORDER BY node")
        api = splink.DuckDBAPI(connection=con)
        linker = splink.Linker(api.register("contacts_to_link"), _settings(records), log_level=None)
        predicted = linker.inference.predict(threshold_match_probability=LEAST_KEPT)
        table = con.table(predicted.physical_name)
        found: pd.DataFrame = table.project("node_l, node_r, match_probability").df()
        return found


def _level(
    sql: str, label: str, m: float, u: float, frequency_of: str | None = None
) -> dict[str, Any]:
    level: dict[str, Any] = {
        "sql_condition": sql, "label_for_charts": label, "m_probability": m, "u_probability": u,
    }  # fmt: skip
    if frequency_of:
        level |= {
            "tf_adjustment_column": frequency_of,
            "tf_adjustment_weight": 1.0,
            "tf_minimum_u_value": 1e-7,
        }
    return level


def _null(column: str) -> dict[str, Any]:
    return {
        "sql_condition": f'"{column}_l" IS NULL OR "{column}_r" IS NULL',
        "label_for_charts": "unknown", "is_null_level": True,
    }  # fmt: skip


def _comparison(name: str, *levels: dict[str, Any]) -> dict[str, Any]:
    left = 1.0 - sum(one.get("u_probability", 0.0) for one in levels)
    remaining = 1.0 - sum(one.get("m_probability", 0.0) for one in levels)
    other = _level("ELSE", "other", round(remaining, 6), max(left, 0.01))
    return {"output_column_name": name, "comparison_levels": [*levels, other]}


def _rarity_levels(
    label: str, condition: str, rarity: str, of_records: pd.Series, agree: float
) -> list[dict[str, Any]]:
    """Levels by rarity: two people agree in a value as often as it is common.

    Both shares are of the records of that rarity, so that their ratio is what counts.
    """
    shares = of_records.value_counts(normalize=True).sort_index()
    return [
        _level(f"{condition} AND {rarity} = {one}", f"{label}, one in {10 ** (-one / 2):.0f}",
               agree * float(share), max(float(share) * 10 ** (one / 2), 1e-9))
        for one, share in zip(shares.index.astype(int).tolist(), shares.tolist(), strict=True)
    ]  # fmt: skip


def _settings(records: pd.DataFrame) -> dict[str, Any]:
    """Splink's settings: which pairs it looks at, and how much each agreement says."""
    model = model_of_persons()
    agree = model["agree"]
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "node",
        "probability_two_random_records_match": min(
            0.2, model["duplicates_per_record"] / len(records)
        ),
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": "l.account = r.account AND l.name_key = r.name_key"},
            {"blocking_rule": "l.phone = r.phone"},
            {"blocking_rule": "l.account = r.account AND l.readings = r.readings",
             "arrays_to_explode": ["readings"]},
        ],
        "comparisons": [
            _compare_names(records, agree),
            _comparison(
                "account", _null("account"),
                _level("account_l = account_r", "same company", agree["account"],
                       _chance(records, "account", "name_key"), "account"),
            ),
            _compare_addresses(agree),
            _compare_phones(records, agree),
        ],
        "retain_matching_columns": False,
    }  # fmt: skip


def _compare_names(records: pd.DataFrame, agree: Mapping[str, float]) -> dict[str, Any]:
    return _comparison(
        "name",
        _null("name_key"),
        *_rarity_levels("same name", "name_key_l = name_key_r", "name_rarity_l",
                        records.name_rarity, agree["name"]),
        *_rarity_levels(
            "same reading in another script",
            "script_l <> script_r AND list_has_any(readings_l, readings_r)",
            "CASE WHEN script_l = 'kanji' THEN reading_rarity_r ELSE reading_rarity_l END",
            records.reading_rarity, agree["reading"]),
        *_rarity_levels(
            "same reading",
            "script_l = script_r AND script_l <> 'kanji' "
            "AND list_has_any(readings_l, readings_r)",
            "reading_rarity_l", records.reading_rarity, agree["same_script"]),
        _level("script_l = script_r AND script_l <> 'kanji' "
               "AND jaro_winkler_similarity(name_key_l, name_key_r) >= 0.94",
               "a typing error apart", agree["typing_error"],
               3 * _chance(records, "name_key", "account")),
    )  # fmt: skip


def _compare_addresses(agree: Mapping[str, float]) -> dict[str, Any]:
    return _comparison(
        "email", _null("email"),
        _level("email_l = email_r", "same address", agree["email"], 1e-6),
        # Most are made of the name, so they say little beside it.
        _level("box_l = box_r AND length(box_l) >= 5", "same name before the @", agree["box"], 0.1),
        _level("host_l = host_r", "another address of one host", agree["other_address"], 0.6),
    )  # fmt: skip


def _compare_phones(records: pd.DataFrame, agree: Mapping[str, float]) -> dict[str, Any]:
    same_phone = min(_chance(records, "phone", "name_key"), 1e-4)
    return _comparison(
        "phone", _null("phone"),
        _level("phone_l = phone_r AND phone_names_l <= 2 AND (account_l <> account_r "
               "OR regexp_matches(phone_l, '^0[789]0'))", "same number of one or two",
               agree["phone"], same_phone),
        _level("phone_l = phone_r AND phone_names_l <= 2",
               "same number of one or two of a company", agree["few_phone"], 0.015),
        # A company's own number says no more than the company does.
        _level("phone_l = phone_r AND account_l = account_r "
               "AND NOT regexp_matches(phone_l, '^0[789]0')",
               "same number of one company", agree["company_phone"], 0.4),
        _level("phone_l = phone_r", "same number of many", 0.05, 0.05),
    )  # fmt: skip
