"""Journey: which buying jobs the group is at, and how far sales has come with it."""

from __future__ import annotations

import ibis.expr.types as ir

from ....contract import BUYING_JOBS
from ..expressions import ratio, same, total, whole
from ..feature import Feature
from ..vocabulary import Vocabulary

JOBS = {
    "problem_identification": ("identifying the problem", "課題の特定"),
    "solution_exploration": ("exploring solutions", "解決策の探索"),
    "requirements_building": ("building requirements", "要件の整理"),
    "supplier_selection": ("selecting a supplier", "取引先の選定"),
    "validation": ("validating the choice", "選定内容の検証"),
    "consensus_creation": ("creating consensus", "社内の合意形成"),
}
DECIDING = ("validation", "consensus_creation")  # the jobs of a group that is about to decide


def features(_vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (*_jobs(), *_deciding(), *_stage(), *_verdicts())


def _in_job(t: ir.Table, job: str) -> ir.Value:
    return t[f"job_{BUYING_JOBS.index(job)}_90d"]


def _in_jobs(t: ir.Table) -> ir.Value:
    return total([_in_job(t, job) for job in BUYING_JOBS])


def _jobs() -> tuple[Feature, ...]:
    return (
        *(
            Feature(
                f"job_{job}_90d", "journey", "activities",
                f"activity about {JOBS[job][0]} in 90 days",
                f"直近90日間の「{JOBS[job][1]}」に関する活動",
                same(f"job_{place}_90d"), "up",
            )
            for place, job in enumerate(BUYING_JOBS)
        ),
        Feature(
            "jobs_touched_90d", "journey", "jobs",
            "buying jobs of the six touched in 90 days",
            "直近90日間に取り組んだ購買タスクの数（6つ中）",
            lambda t: total([whole(_in_job(t, job) > 0) for job in BUYING_JOBS]), "up",
        ),
        Feature(
            "returns", "journey", "weeks",
            "weeks in which members went back to an earlier buying job",
            "前の購買タスクに戻った週の数（メンバーの合計）", same("returns"),
        ),
        Feature(
            "returns_per_member", "journey", "weeks per member",
            "weeks of going back to an earlier buying job, per member",
            "前の購買タスクに戻った週の数（1人あたり）", lambda t: ratio(t.returns, t.members),
        ),
    )  # fmt: skip


def _deciding() -> tuple[Feature, ...]:
    return (
        Feature(
            "deciding_share_90d", "journey", "share",
            "share of validation and consensus in the activity of 90 days",
            "直近90日間の購買タスクに占める検証と合意形成の割合",
            lambda t: ratio(total([_in_job(t, job) for job in DECIDING]), _in_jobs(t)), "up",
        ),
        Feature(
            "deciding_members_90d", "journey", "members",
            "members busy with validation or consensus in 90 days",
            "直近90日間に検証や合意形成に動いた人数", same("deciding_members_90d"), "up",
        ),
        Feature(
            "deciding_members_share_90d", "journey", "share",
            "share of members busy with validation or consensus in 90 days",
            "直近90日間に検証や合意形成に動いた人の割合",
            lambda t: ratio(t.deciding_members_90d, t.members), "up",
        ),
    )  # fmt: skip


def _stage() -> tuple[Feature, ...]:
    return (
        Feature(
            "stage", "journey", "category",
            "current stage", "現在の商談段階", same("stage"), category=True,
        ),
        Feature(
            "days_in_stage", "journey", "days",
            "days in the current stage", "現在の段階での日数", same("days_in_stage"),
        ),
        Feature(
            "stage_changes", "journey", "changes",
            "stage changes so far", "これまでの商談段階の変化", same("stage_changes"),
        ),
        Feature(
            "closings", "journey", "closings",
            "times it was closed before", "これまでに一度終了した回数", same("closings"),
        ),
        Feature(
            "group_age_days", "journey", "days",
            "days since the group was formed", "グループ発足からの日数", same("group_age_days"),
        ),
    )  # fmt: skip


def _verdicts() -> tuple[Feature, ...]:
    return (
        Feature(
            "verdicts_rejected", "journey", "verdicts",
            "times sales sent it back", "営業が差し戻した回数", same("verdicts_rejected"), "down",
        ),
        Feature(
            "days_since_verdict", "journey", "days",
            "days since sales decided", "営業の判断からの日数", same("days_since_verdict"),
        ),
    )  # fmt: skip
