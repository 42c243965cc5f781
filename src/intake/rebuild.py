"""The contract's tables from everything that is staged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..contract import TABLES
from ..settings import Settings
from .decisions import Decisions
from .evidence import EVIDENCE
from .findings import Rebuilt
from .identity.accounts import link_companies
from .identity.contacts import Edge, cluster_contacts, email_edges
from .identity.mail_domains import is_free_mail
from .identity.matching import model_of_persons, own_mobiles, probable_pairs
from .roles.members import decide_roles
from .sql_files import sql_text

IDENTITY_COLUMNS = (
    "table", "id", "system", "source_table", "source_id", "probability", "decided_by",
    "first_seen_at",
)  # fmt: skip

FEWEST_MERGES = 50
"""Of the CRM, from which on they move the threshold of identity."""

MOST_STRICT = 0.75
MOST_PAIRS_ASKED = 500


def rebuild(
    con: duckdb.DuckDBPyConnection,
    staged: Path,
    previous: Path | None,
    decisions: Decisions,
    settings: Settings,
) -> Rebuilt:
    """Make every table of the contract, and the side tables, in the schema `contract` of `con`.

    Args:
        con: made by `staging.connect`.
        staged: one folder a system.
        previous: identities.parquet of the import before, None if there is none.
        decisions: what people have decided.
        settings: names of stages, roles, solutions.
    """
    systems = _load(con, staged)
    _first_seen(con, previous, systems)
    result = Rebuilt(systems)
    _settings_tables(con, settings)
    con.execute(sql_text("merged_deals"))
    con.execute(sql_text("companies"))
    _accounts(con)
    con.execute(sql_text("people"))
    _contacts(con, decisions, settings, result)
    con.execute(sql_text("deals"))
    if settings.imports.groups == "deals_and_activity":
        con.execute(sql_text("activity_groups"))
    con.execute(sql_text("groups"))
    con.execute(sql_text("stages"))
    con.execute(sql_text("members"))
    decide_roles(con, decisions, settings, result)
    con.execute(sql_text("tables"))
    _suggestions(con, settings)
    return result


def _suggestions(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """The roles that each group should have: the template's, or else all that members have."""
    con.execute("CREATE TABLE wanted_roles (role VARCHAR, required INTEGER)")
    for role, one in settings.roles.items():
        con.execute("INSERT INTO wanted_roles VALUES (?, ?)", [role, one.required])
    if not settings.roles:
        con.execute(
            "INSERT INTO wanted_roles SELECT DISTINCT role, 1 FROM contract.members "
            "WHERE role NOT IN ('unknown', 'blocker')"
        )
    closing = {"won", "lost", *settings.target.closed_stages}
    con.execute("CREATE TABLE closing_stages (stage VARCHAR)")
    for stage in sorted(closing):
        con.execute("INSERT INTO closing_stages VALUES (?)", [stage])
    con.execute(sql_text("suggestions"))


def _load(con: duckdb.DuckDBPyConnection, staged: Path) -> dict[str, dict[str, Any]]:
    systems = {
        one.name: json.loads((one / "account.json").read_text(encoding="utf-8"))
        for one in sorted(staged.iterdir())
    }
    con.execute("CREATE SCHEMA staged; CREATE SCHEMA contract; CREATE SCHEMA side;")
    for table in (*EVIDENCE, "unplaced", "sightings"):
        parts = [
            con.read_parquet(str(staged / system / f"{table}.parquet")).project(
                f"'{system}' AS system, *"
            )
            for system in systems
        ]
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.union(part)
        whole.create(f"staged.{table}")
    con.execute(
        "CREATE TABLE systems "
        "(system VARCHAR, as_of TIMESTAMP, first_as_of TIMESTAMP, kind VARCHAR)"
    )
    for system, account in systems.items():
        con.execute(
            "INSERT INTO systems VALUES (?, ?, ?, ?)",
            [system, account["as_of"], account["first_as_of"], account["kind"]],
        )
    return systems


def _first_seen(
    con: duckdb.DuckDBPyConnection, previous: Path | None, systems: dict[str, dict[str, Any]]
) -> None:
    con.execute(
        "CREATE TABLE seen_before (tbl VARCHAR, system VARCHAR, source_table VARCHAR, "
        "source_id VARCHAR, first_seen_at TIMESTAMP)"
    )
    if previous is not None and previous.is_file():
        con.read_parquet(str(previous)).filter(
            f"system IN ({', '.join(_quoted(one) for one in systems)})"
        ).aggregate(
            '"table" AS tbl, system, source_table, source_id, min(first_seen_at) AS first_seen_at'
        ).insert_into("seen_before")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _settings_tables(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    imports = settings.imports
    for name, values in (
        ("solution_names", imports.solutions),
        ("stage_names", imports.stages),
        ("kind_names", imports.kinds),
        ("content_names", imports.contents),
    ):
        con.execute(f"CREATE TABLE {name} (value VARCHAR, name VARCHAR)")
        for value, mapped in values.items():
            con.execute(f"INSERT INTO {name} VALUES (?, ?)", [value, mapped])  # noqa: S608 - of four
    hosts = [host for (host,) in con.sql(
        "SELECT DISTINCT email_host(email) FROM staged.users WHERE email IS NOT NULL ORDER BY 1"
    ).fetchall() if not is_free_mail(host)]  # fmt: skip
    con.execute("CREATE TABLE own_hosts (host VARCHAR)")
    for host in sorted({*hosts, *(one.lower() for one in imports.own_domains)}):
        con.execute("INSERT INTO own_hosts VALUES (?)", [host])
    free = pd.DataFrame({"host": [host for (host,) in con.sql(
        "SELECT DISTINCT email_host(email) AS host FROM staged.people "
        "WHERE email IS NOT NULL ORDER BY 1"
    ).fetchall() if is_free_mail(host)]}, dtype="str")  # fmt: skip
    con.execute("CREATE TABLE free_hosts (host VARCHAR)")
    con.from_df(free).insert_into("free_hosts")
    con.execute("SET VARIABLE inferred_joins = ?", [imports.inferred_joins])


def _accounts(con: duckdb.DuckDBPyConnection) -> None:
    """company_nodes -> company_ids (node, id, probability, decided_by)."""
    nodes = con.sql("SELECT node, name, domain, number FROM company_nodes ORDER BY node").df()
    merges = con.sql("SELECT node, other FROM company_merges ORDER BY ALL").fetchall()
    linked = link_companies(nodes, merges)
    linked.insert(0, "node", nodes.node)
    linked["probability"] = 1.0
    con.from_df(linked).create("company_clusters")
    con.execute(sql_text("company_ids"))


def _contacts(
    con: duckdb.DuckDBPyConnection, decisions: Decisions, settings: Settings, result: Rebuilt
) -> None:
    """person_nodes -> person_ids (node, id, probability, decided_by)."""
    nodes = con.sql(
        "SELECT node, is_alias, system, source_table, source_id, full_name, email, phone, "
        "account_id, email_host FROM person_nodes ORDER BY node"
    ).df()
    links = con.sql("SELECT node, other, decided_by FROM person_links ORDER BY ALL").fetchall()
    known = [Edge(one, other, 1.0, by) for one, other, by in links] + email_edges(nodes)
    decided, apart = _decided_pairs(nodes, decisions)
    pairs = probable_pairs(nodes[~nodes.is_alias.astype(bool)])
    threshold = settings.imports.same_person or _threshold(pairs, links, result)
    likely = [
        Edge(int(left), int(right), float(probability), "model")
        for left, right, probability in pairs[pairs.probability >= threshold].itertuples(
            index=False
        )
    ]
    linked = cluster_contacts(
        len(nodes), [*known, *decided, *likely], apart, list(nodes.email), own_mobiles(nodes)
    )
    linked.insert(0, "node", nodes.node)
    con.from_df(linked).create("person_clusters")
    unsure = pairs[pairs.probability.between(settings.imports.review_from, threshold, "left")]
    _ask_for_pairs(nodes, unsure, linked.cluster, {*decisions.pairs}, result)
    con.execute(sql_text("person_ids"))


def _record_ids(nodes: pd.DataFrame) -> list[str]:
    columns = (nodes.system, nodes.source_table, nodes.source_id)
    return [":".join(parts) for parts in zip(*columns, strict=True)]


def _decided_pairs(
    nodes: pd.DataFrame, decisions: Decisions
) -> tuple[list[Edge], list[tuple[int, int]]]:
    if not decisions.pairs:
        return [], []
    place = {name: node for node, name in enumerate(_record_ids(nodes))}
    edges, apart = [], []
    for (left, right), same in decisions.pairs.items():
        if left in place and right in place:
            if same:
                edges.append(Edge(place[left], place[right], 1.0, "person"))
            else:
                apart.append((place[left], place[right]))
    return edges, apart


def _threshold(
    pairs: pd.DataFrame, links: Sequence[tuple[int, int, str]], result: Rebuilt
) -> float:
    """From which probability on two contacts are one: what the CRM's merges say, within bounds."""
    shipped = float(model_of_persons()["threshold"])
    probability = {
        (int(left), int(right)): float(found)
        for left, right, found in pairs.itertuples(index=False)
    } if links else {}  # fmt: skip
    found = sorted(
        probability.get((min(one, other), max(one, other)), 0.0) for one, other, _ in links
    )
    threshold = shipped
    if len(found) >= FEWEST_MERGES:
        threshold = min(MOST_STRICT, max(shipped, found[len(found) // 20]))
    result.counts["merges and conversions of the CRM"] = len(found)
    result.counts["of these also found by the model"] = sum(one >= threshold for one in found)
    return threshold


def _ask_for_pairs(
    nodes: pd.DataFrame,
    unsure: pd.DataFrame,
    cluster: pd.Series,
    decided: set[tuple[str, str]],
    result: Rebuilt,
) -> None:
    names = _record_ids(nodes) if len(unsure) else []
    open_pairs = unsure[cluster[unsure.left].to_numpy() != cluster[unsure.right].to_numpy()]
    for left, right, probability in open_pairs.head(MOST_PAIRS_ASKED).itertuples(index=False):
        first, second = sorted((names[left], names[right]))
        if (first, second) not in decided:
            result.review.append({
                "subject": "pair", "left": first, "right": second, "suggestion": "",
                "probability": probability, "count": 1,
                "detail": f"{nodes.full_name[left]} / {nodes.full_name[right]}: one person?",
            })  # fmt: skip


def write_tables(con: duckdb.DuckDBPyConnection, out: Path) -> None:
    """Write the contract's tables and the side tables as Parquet, always in one order."""
    there = {
        name
        for (name,) in con.sql(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'contract'"
        ).fetchall()
    }
    for name, table in TABLES.items():
        if name not in there:
            continue
        columns = [row[0] for row in con.sql(f"DESCRIBE contract.{name}").fetchall()]
        _write(con.table(f"contract.{name}"), columns, table.key, out / f"{name}.parquet")
    side = out / "import"
    side.mkdir(exist_ok=True)
    _write(
        con.table("side.identities"),
        list(IDENTITY_COLUMNS),
        ("table", "system", "source_table", "source_id"),
        side / "identities.parquet",
    )
    _write(
        con.table("side.roles"),
        ["group_id", "contact_id", "role", "probability", "source", "value"],
        ("group_id", "contact_id"),
        side / "roles.parquet",
    )
    _write(
        con.table("side.suggestions"),
        ["group_id", "role", "rank", "contact_id", "probability", "activities_90d",
         "last_activity_at", "reasons"],
        ("group_id", "role", "rank"),
        side / "suggestions.parquet",
    )  # fmt: skip
    _write(
        con.table("side.unplaced"),
        ["system", "source_table", "source_id", "reason"],
        ("system", "source_table", "source_id"),
        side / "unplaced.parquet",
    )


def _write(
    rows: duckdb.DuckDBPyRelation, columns: Sequence[str], key: Sequence[str], path: Path
) -> None:
    names = [f'"{one}"' for one in columns]
    order = [f'"{one}"' for one in key] + [one for one in names if one.strip('"') not in key]
    table: pa.Table = rows.project(", ".join(names)).order(", ".join(order)).to_arrow_table()
    pq.write_table(table, path, compression="zstd")


def copy_staged(old: Path, new: Path, *, but: str | None = None) -> None:
    """Copy the folders of the systems that an earlier import staged."""
    new.mkdir(parents=True, exist_ok=True)
    if old.is_dir():
        for folder in sorted(old.iterdir()):
            if folder.is_dir() and folder.name != but:
                shutil.copytree(folder, new / folder.name)


def newest_as_of(systems: dict[str, dict[str, Any]]) -> datetime:
    """The instant of the newest export."""
    return max(datetime.fromisoformat(one["as_of"]) for one in systems.values())
